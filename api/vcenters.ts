import { z } from 'zod';
import { nameSchema, pageOf, pageQuery, problemSchema, textSchema, timestampSchema } from './common.ts';
import { route } from './route.ts';

const urlSchema = z
  .string()
  .regex(/^https:\/\/[^/?#@\s]+\/?$/, 'must be https://host[:port] without a path')
  .refine((url) => URL.canParse(url), 'must be an address with a host and a port below 65536')
  .transform((url) => url.replace(/\/$/, ''));

const fingerprintSchema = z
  .string()
  .regex(
    /^(?:[0-9A-F]{2}:){31}[0-9A-F]{2}$/,
    'must be SHA-256 as upper-case hexadecimal pairs joined by colons',
  )
  .describe('SHA-256 of the certificate, upper-case hexadecimal pairs joined by colons');

const certificateSchema = z
  .object({ sha256: z.string(), subject: z.string(), notAfter: z.string(), pem: z.string() })
  .meta({ id: 'Certificate' });

const vcenterSchema = z
  .object({
    name: z.string(),
    url: z.string(),
    username: z.string(),
    certificateSha256: z.string(),
    addedAt: timestampSchema,
    version: z.string().optional(),
    machineCount: z.number().int(),
    discoveredAt: timestampSchema.optional(),
    discoveryProblem: problemSchema.optional().describe('Why the first discovery has not ended yet'),
  })
  .meta({ id: 'VCenter' });

export const vcenterRoutes = {
  probeVCenter: route({
    method: 'POST',
    path: '/v1/vcenters/probe',
    summary: 'Shows the certificate of a vCenter, so that an operator can compare it; sends no credential',
    body: z.strictObject({ url: urlSchema }),
    status: 200,
    response: certificateSchema,
  }),
  addVCenter: route({
    method: 'POST',
    path: '/v1/vcenters',
    summary:
      'Registers a vCenter and discovers its machines; for a registered one of the same URL, replaces account and fingerprint',
    body: z.strictObject({
      name: nameSchema,
      url: urlSchema,
      username: textSchema,
      password: z.string().min(1).max(1000),
      certificateSha256: fingerprintSchema,
    }),
    status: 201,
    response: vcenterSchema,
  }),
  removeVCenter: route({
    method: 'POST',
    path: '/v1/vcenters/:id/remove',
    summary: 'Forgets a vCenter, its credential and its machines; refused while one of them is protected',
    params: z.object({ id: nameSchema }),
    status: 200,
    response: z.object({ name: z.string() }),
  }),
  listVCenters: route({
    method: 'GET',
    path: '/v1/vcenters',
    summary: 'Registered vCenters by name',
    query: z.strictObject(pageQuery),
    status: 200,
    response: pageOf(vcenterSchema),
  }),
  discoverVCenter: route({
    method: 'POST',
    path: '/v1/vcenters/:id/discover',
    summary: 'Reads the machines of a vCenter anew and answers when done',
    params: z.object({ id: nameSchema }),
    status: 200,
    response: z.object({
      machineCount: z.number().int(),
      about: z.object({ name: z.string(), version: z.string(), instanceUuid: z.string() }),
      tagsProblem: problemSchema.optional().describe('Why machines were found without their tags'),
    }),
  }),
};
