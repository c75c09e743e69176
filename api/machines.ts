import { z } from 'zod';
import { nameSchema, pageOf, pageQuery, problemSchema, textSchema } from './common.ts';
import { route } from './route.ts';

const diskSchema = z.object({
  deviceKey: z.number().int(),
  label: z.string(),
  capacityBytes: z.number(),
  backing: z.string(),
  fileName: z.string(),
  diskMode: z.string(),
  shared: z.boolean(),
});

const machineSchema = z
  .object({
    id: z.string(),
    vcenterId: z.string(),
    moRef: z.string(),
    name: z.string(),
    powerState: z.enum(['poweredOn', 'poweredOff', 'suspended']),
    guestId: z.string(),
    guestFamily: z.enum(['linux', 'windows', 'other']),
    firmware: z.enum(['bios', 'efi']),
    cpuCount: z.number().int(),
    memoryMiB: z.number(),
    disks: z.array(diskSchema),
    nics: z.array(z.object({ deviceKey: z.number().int(), macAddress: z.string(), networkName: z.string() })),
    snapshotNames: z.array(z.string()),
    changeTrackingSupported: z.boolean(),
    changeTrackingEnabled: z.boolean(),
    folder: z.string().optional().describe('From the datacenter down; absent: vCenter has not told it'),
    tags: z.array(z.string()).optional().describe('`category/tag`; absent: vCenter has not told them'),
    isProtected: z.boolean(),
    problems: z
      .array(problemSchema)
      .describe('What keeps the machine from being protected, no disk excluded'),
  })
  .meta({ id: 'Machine' });
export type Machine = z.output<typeof machineSchema>;

export const machineRoutes = {
  listMachines: route({
    method: 'GET',
    path: '/v1/machines',
    summary: 'Discovered machines by name',
    query: z.strictObject({
      vcenter: nameSchema.exactOptional(),
      name: textSchema.exactOptional().describe('Exact; `*` stands for any characters'),
      ...pageQuery,
    }),
    status: 200,
    response: pageOf(machineSchema),
  }),
};
