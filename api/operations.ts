/** One route for each operation of a protected item. domain/item-inputs.ts says the same as data, for forms. */
import { z } from 'zod';
import { itemOperations, operationSummaries, type ItemOperation } from '../domain/item-operations.ts';
import {
  acceptedSchema,
  itemParams,
  nameSchema,
  operationIdSchema,
  prioritySchema,
  subnetIdSchema,
  textSchema,
} from './common.ts';
import { recoveryPointChoiceSchema } from './replication.ts';
import { route } from './route.ts';
import { targetChangesSchema } from './target.ts';

const notesSchema = z
  .string()
  .max(4000)
  .regex(/^(?:[^\p{Cc}\p{Cs}]|[\t\n\r])*$/u, 'must not hold control characters but line breaks and tabs');

const deviceKeysSchema = z
  .array(z.number().int())
  .min(1)
  .max(100)
  .describe('Device keys of the disks in vCenter');

const placeSchema = z
  .strictObject({
    datastore: textSchema,
    network: textSchema.describe('Of every interface of the machine'),
    name: textSchema.max(80).exactOptional().describe("Absent: the machine's name"),
  })
  .describe('Where a new machine is made; absent: to where it was');

function body<S extends z.core.$ZodLooseShape>(shape: S) {
  return z.strictObject({ ...shape, operationId: operationIdSchema.exactOptional() });
}

/** By operation. */
export const operationBodies = {
  testFailover: body({ choice: recoveryPointChoiceSchema, subnetId: subnetIdSchema }),
  cleanupTestFailover: body({ notes: notesSchema.default('') }),
  failover: body({ choice: recoveryPointChoiceSchema, shutdownSource: z.boolean() }),
  changeRecoveryPoint: body({ choice: recoveryPointChoiceSchema }),
  rollback: body({}),
  commit: body({}),
  completeMigration: body({}),
  reprotect: body({ place: placeSchema.exactOptional() }),
  failback: body({}),
  cancelFailback: body({}),
  reEnable: body({}),
  pause: body({}),
  resume: body({}),
  resync: body({}),
  verify: body({ choice: recoveryPointChoiceSchema }),
  updateSettings: body({
    policy: nameSchema.exactOptional().describe('Name of another policy'),
    target: targetChangesSchema.exactOptional(),
    priority: prioritySchema.exactOptional(),
  }).refine(
    (changes) => [changes.policy, changes.target, changes.priority].some((each) => each !== undefined),
    'must change something: policy, target or priority',
  ),
  addDisks: body({ deviceKeys: deviceKeysSchema }),
  excludeDisks: body({ deviceKeys: deviceKeysSchema }),
  disable: body({}),
  purge: body({}),
} satisfies Record<ItemOperation, z.ZodObject>;

/** As the server gets it, with defaults filled in. */
export type OperationBody<O extends ItemOperation> = z.output<(typeof operationBodies)[O]>;

function operationRoute<O extends ItemOperation>(operation: O) {
  return route({
    method: 'POST',
    path: `/v1/protected-items/:id/${inPath(operation)}`,
    summary: operationSummaries[operation],
    params: itemParams,
    body: operationBodies[operation],
    status: 202,
    response: acceptedSchema,
  });
}

type OperationRoutes = { readonly [O in ItemOperation]: ReturnType<typeof operationRoute<O>> };

export const operationRoutes = Object.fromEntries(
  itemOperations.map((operation) => [operation, operationRoute(operation)]),
) as unknown as OperationRoutes;

/** `testFailover` → `test-failover`. */
export function inPath(operation: ItemOperation): string {
  return operation.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

/** Operations whose prerequisites can be checked without doing them. */
export const checkableOperations = [
  'failover',
  'testFailover',
  'reprotect',
  'failback',
] as const satisfies readonly ItemOperation[];

const checkOf = <O extends (typeof checkableOperations)[number]>(operation: O) => ({
  operation: z.literal(operation),
});

export const checkBodySchema = z.discriminatedUnion('operation', [
  operationBodies.failover.omit({ operationId: true }).extend(checkOf('failover')),
  operationBodies.testFailover.omit({ operationId: true }).extend(checkOf('testFailover')),
  operationBodies.reprotect.omit({ operationId: true }).extend(checkOf('reprotect')),
  operationBodies.failback.omit({ operationId: true }).extend(checkOf('failback')),
]);
