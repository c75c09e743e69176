/** What the practice Azure does wrong in a drill: where it may strike, and how, drawn by seed. */
import type { Random } from '../../test/support/random.ts';

export const armFaultKinds = [
  'throttled',
  'conflict',
  'serverError',
  'stuckOperation',
  'lostAnswer',
] as const;
export type ArmFaultKind = (typeof armFaultKinds)[number];
export const faultKinds = [...armFaultKinds, 'killedProcess', 'silentProbe'] as const;
export type FaultKind = (typeof faultKinds)[number];

/** A request that a drill or its cleanup makes. Names of machines are unique, so they find runs whose id nobody knows yet. */
interface Place {
  readonly method: 'GET' | 'PUT' | 'DELETE';
  /** Regular expression over path and query. */
  path(of: { readonly machine: string; readonly run: string }): string;
  /** It begins an operation that the deletion of the group ends. */
  readonly isCreation?: true;
  /** It can be named only once the run has an id. */
  readonly needsRun?: true;
}

const places = {
  putGroup: { method: 'PUT', path: ({ run }) => `/resourcegroups/switchback-${run}[^/]*\\?`, needsRun: true },
  putDisk: { method: 'PUT', path: ({ machine }) => `/disks/${machine}-disk`, isCreation: true },
  putNic: { method: 'PUT', path: ({ machine }) => `/networkInterfaces/${machine}-nic`, isCreation: true },
  putVm: { method: 'PUT', path: ({ machine }) => `/virtualMachines/${machine}-test\\?`, isCreation: true },
  getVm: { method: 'GET', path: ({ machine }) => `/virtualMachines/${machine}-test` },
  deleteGroup: {
    method: 'DELETE',
    path: ({ run }) => `/resourcegroups/switchback-${run}`,
    needsRun: true,
  },
  listRun: { method: 'GET', path: ({ run }) => `/resources\\?.*${run}`, needsRun: true },
} as const satisfies Readonly<Record<string, Place>>;
export type PlaceName = keyof typeof places;

const writes: readonly PlaceName[] = ['putGroup', 'putDisk', 'putNic', 'putVm', 'deleteGroup'];
const everywhere: readonly PlaceName[] = [...writes, 'getVm', 'listRun'];
const operations: readonly PlaceName[] = ['putDisk', 'putNic', 'putVm', 'deleteGroup'];

/** As the practice Azure is told, without where. */
interface Disturbance {
  readonly status?: number;
  readonly code?: string;
  readonly retryAfterSeconds?: number;
  readonly failOperation?: { readonly code: string; readonly message: string };
  readonly stuckMs?: number;
  readonly resetConnection?: boolean;
  readonly count: number;
}

export interface ArmFault extends Disturbance {
  readonly kind: ArmFaultKind;
  readonly place: PlaceName;
  /** Nobody but an operator ends it. */
  readonly isForEver: boolean;
}

/** More than the SDK tries by itself. */
const TIMES_MAX = 6;
const LATE_MS_MIN = 4_000;
const LATE_MS_MAX = 15_000;
const FOR_EVER_MS = 3_600_000;

const drawn: Readonly<
  Record<
    ArmFaultKind,
    {
      readonly places: readonly PlaceName[];
      disturb(random: Random, place: Place): Disturbance;
    }
  >
> = {
  throttled: {
    places: everywhere,
    disturb: (random) => ({
      status: 429,
      code: 'TooManyRequests',
      retryAfterSeconds: 1 + random.below(2),
      count: times(random),
    }),
  },
  conflict: {
    places: writes,
    disturb: (random) => ({
      status: 409,
      code: one(random, [
        'Conflict',
        'AnotherOperationInProgress',
        'RetryableError',
        'ResourceGroupBeingDeleted',
      ]),
      count: 1 + random.below(3),
    }),
  },
  serverError: {
    places: everywhere,
    disturb: (random, { isCreation }) =>
      isCreation === true && random.below(3) === 0
        ? {
            failOperation: {
              code: 'InternalExecutionError',
              message: 'An internal execution error occurred.',
            },
            count: 1,
          }
        : { status: one(random, [500, 502, 503, 504]), code: 'InternalServerError', count: times(random) },
  },
  stuckOperation: {
    places: operations,
    disturb: (random, { isCreation }) => ({
      stuckMs:
        isCreation === true && random.below(2) === 0
          ? FOR_EVER_MS
          : LATE_MS_MIN + random.below(LATE_MS_MAX - LATE_MS_MIN),
      count: 1,
    }),
  },
  lostAnswer: {
    places: writes,
    disturb: (random) => ({ resetConnection: true, count: 1 + random.below(2) }),
  },
};

/** `runIsKnown`: its id is chosen before it begins. */
export function drawFault(random: Random, kind: ArmFaultKind, runIsKnown: boolean): ArmFault {
  const drawing = drawn[kind];
  const named = drawing.places.filter((name) => runIsKnown || (places[name] as Place).needsRun !== true);
  const place = one(random, named);
  const disturbance = drawing.disturb(random, places[place]);
  return { kind, place, isForEver: disturbance.stuckMs === FOR_EVER_MS, ...disturbance };
}

/** Body of `POST /_lab/faults`. */
export function toldToAzure(
  { kind: _kind, place, isForEver: _isForEver, ...disturbance }: ArmFault,
  name: string,
  of: { readonly machine: string; readonly run: string },
): object {
  const { method, path } = places[place];
  return { name, method, path: path(of), ...disturbance };
}

function times(random: Random): number {
  return 1 + random.below(TIMES_MAX);
}

export function one<T>(random: Random, values: readonly T[]): T {
  const value = values[random.below(values.length)];
  if (value === undefined) throw new Error('nothing to choose from');
  return value;
}
