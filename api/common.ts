/** Forms that several nouns share. Bodies and queries are strict: an unknown field is refused by name. */
import { z } from 'zod';
import { priorities } from '../domain/machine.ts';

const onOneLine = /^[^\p{Cc}\p{Cs}]*$/u;

/** Text on one line; neither database nor log can hold control characters or halves of surrogate pairs. */
export const textSchema = z.string().min(1).max(200).regex(onOneLine, 'must not hold control characters');

/** Name of a vCenter or a policy. */
export const nameSchema = z
  .string()
  .regex(/^[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?$/, 'must be 1-40 lower-case letters, digits, hyphens');

export const prioritySchema = z
  .enum(priorities)
  .describe('Share of the site’s line while several items have something to send: 4, 2 or 1 parts');

/** Path of whatever is about one protected item. */
export const itemParams = z.object({
  id: textSchema.describe('Id of the item, or the name of its machine where it is unique'),
});

export const timestampSchema = z.string().describe('ISO 8601, UTC');

export const operationIdSchema = z
  .string()
  .regex(/^[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?$/, 'must be 1-64 lower-case letters, digits, hyphens')
  .describe('Chosen by the caller; a repeated request with the same id is the same job. Absent: a new UUID');

export const azureIdSchema = z
  .string()
  .regex(
    /^\/subscriptions\/[^/\s]+\/resourceGroups\/[^/\s]+\/providers\/\S+$/i,
    'must be a complete Azure resource id',
  )
  .regex(onOneLine, 'must not hold control characters');

export const subnetIdSchema = azureIdSchema.regex(
  /\/providers\/Microsoft\.Network\/virtualNetworks\/[^/]+\/subnets\/[^/]+$/i,
  'must be the complete id of a subnet',
);

export const pageQuery = {
  limit: z.coerce.number().int().min(1).max(500).default(100).describe('Most entries in one answer'),
  cursor: z.string().max(1000).exactOptional().describe('`nextCursor` of the previous answer'),
};

/** One answer of a list; `nextCursor` is present while there is more. */
export function pageOf<T extends z.ZodType>(entry: T) {
  return z.object({ items: z.array(entry), nextCursor: z.string().optional() });
}

export const problemSchema = z
  .object({ code: z.string(), message: z.string(), remedy: z.string() })
  .meta({ id: 'Problem' });

/** Why something is not as it should be. */
export const reasonSchema = problemSchema
  .extend({ since: timestampSchema.optional().describe('Absent: not known') })
  .meta({ id: 'Reason' });

/** Of a recovery plan as it is now. */
export const verification = {
  verified: z
    .boolean()
    .describe('This version, with these machines, was drilled without a skip and cleaned up again'),
  notVerified: reasonSchema.optional().describe('Present when not verified'),
  lastGoodDrillAt: timestampSchema.optional(),
};

/** Body of every answer that is not a success. */
export const errorBodySchema = problemSchema
  .extend({
    context: z.record(z.string(), z.union([z.string(), z.number()])),
    requestId: z.string(),
  })
  .meta({ id: 'Error' });
export type ErrorBody = z.output<typeof errorBodySchema>;

export const acceptedSchema = z.object({ operationId: z.string() }).meta({ id: 'OperationAccepted' });
