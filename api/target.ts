/** Where a machine fails over to: as it is set when protecting, changed later, and shown. */
import { z } from 'zod';
import { diskTypes } from '../domain/ports/azure.ts';
import { azureIdSchema, subnetIdSchema } from './common.ts';

/** Azure allows 50 tags on a resource; three are the run's own. */
const TAGS_MAX = 47;

const vmSizeSchema = z.string().regex(/^[A-Za-z0-9_-]{2,80}$/, 'must be a VM size such as Standard_D2s_v5');

const resourceGroupSchema = z
  .string()
  .regex(/^[\w().-]{0,89}[\w()-]$/, 'must be the name of a resource group')
  .describe('An existing group for the real failover; the run makes a group of its own without it');

const zoneSchema = z.string().regex(/^[1-9]$/, 'must be the number of an availability zone');

const availabilitySetIdSchema = azureIdSchema.regex(
  /\/providers\/Microsoft\.Compute\/availabilitySets\/[^/]+$/i,
  'must be the complete id of an availability set',
);

/** What Azure allows; names of ours are not the operator's to give. */
const tagName = /^(?!switchback-)[^<>%&\\?/\p{Cc}\p{Cs}]{1,512}$/iu;

const tagsSchema = z
  .record(
    z.string(),
    z
      .string()
      .max(256)
      .regex(/^[^\p{Cc}\p{Cs}]*$/u, 'must not hold control characters'),
  )
  .refine((tags) => Object.keys(tags).length <= TAGS_MAX, `must be at most ${TAGS_MAX} tags`)
  .refine(
    (tags) => Object.keys(tags).every((name) => tagName.test(name)),
    'must have names of 1-512 characters without < > % & \\ ? / that do not begin with switchback-',
  )
  .describe('Beside the tags of the run; all of them, not only the changed ones');

const addressSchema = z.ipv4().describe('After failover; without it the next free one of the subnet');
const diskTypeSchema = z.enum(diskTypes).describe('Standard_LRS without it');

export const newTargetSchema = z.strictObject({
  location: z.string().regex(/^[a-z0-9]{2,40}$/, 'must be a region such as westeurope'),
  vmSize: vmSizeSchema,
  subnetId: subnetIdSchema,
  privateIpAddress: addressSchema.exactOptional(),
  diskType: diskTypeSchema.exactOptional(),
  resourceGroup: resourceGroupSchema.exactOptional(),
  zone: zoneSchema.exactOptional(),
  availabilitySetId: availabilitySetIdSchema.exactOptional(),
  tags: tagsSchema.exactOptional(),
});

/** Null takes a setting away. */
export const targetChangesSchema = z
  .strictObject({
    vmSize: vmSizeSchema.exactOptional(),
    subnetId: subnetIdSchema.exactOptional(),
    privateIpAddress: addressSchema.nullable().exactOptional(),
    diskType: diskTypeSchema.exactOptional(),
    resourceGroup: resourceGroupSchema.nullable().exactOptional(),
    zone: zoneSchema.nullable().exactOptional(),
    availabilitySetId: availabilitySetIdSchema.nullable().exactOptional(),
    tags: tagsSchema.nullable().exactOptional(),
  })
  .refine((changes) => Object.keys(changes).length > 0, 'must change something');

export const shownTargetSchema = z.object({
  location: z.string(),
  vmSize: z.string(),
  subnetId: z.string(),
  privateIpAddress: z.string().optional(),
  diskType: z.enum(diskTypes).optional(),
  resourceGroup: z.string().optional(),
  zone: z.string().optional(),
  availabilitySetId: z.string().optional(),
  tags: z.record(z.string(), z.string()).optional(),
});
