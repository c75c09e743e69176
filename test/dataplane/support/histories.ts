/** Random histories, and how one is told. */
import fc from 'fast-check';
import type { Barrier } from '../../../domain/replication.ts';
import { KiB, MiB } from '../../../domain/units.ts';
import { History } from './history.ts';
import type { AttemptPlan } from './history.ts';
import { randomFrom } from './random.ts';
import type { Rig } from './rig.ts';

export type Step =
  | {
      readonly do: 'write';
      readonly disk: number;
      readonly sector: number;
      readonly sectors: number;
      readonly kind: number;
    }
  | { readonly do: 'ship'; readonly kind: Barrier['kind']; readonly plan: AttemptPlan }
  | { readonly do: 'apply'; readonly plan: AttemptPlan; readonly barriersMax: number }
  | { readonly do: 'wake' };

export interface Tale {
  readonly capacities: readonly number[];
  readonly steps: readonly Step[];
}

const SECTORS_MAX = 3072;
const WRITE_SECTORS_MAX = 192;
/** Enough for the requests of a small barrier, heads included. */
const FAULT_BYTES_MAX = 48 * KiB;

const fault = fc.record({
  afterBytes: fc.oneof(fc.nat(2 * KiB), fc.nat(FAULT_BYTES_MAX)),
  kind: fc.constantFrom('cut', 'lost', 'dead', 'held'),
});

const plan = fc.record({
  faults: fc.oneof(
    { weight: 2, arbitrary: fc.constant([]) },
    { weight: 3, arbitrary: fc.array(fault, { maxLength: 3 }) },
  ),
  sharesCache: fc.boolean(),
  resumes: fc.boolean(),
});

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('write' as const),
      disk: fc.nat(2),
      sector: fc.nat(SECTORS_MAX),
      sectors: fc.integer({ min: 1, max: WRITE_SECTORS_MAX }),
      kind: fc.nat(2),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('ship' as const),
      kind: fc.constantFrom<Barrier['kind'][]>('progress', 'point', 'point'),
      plan,
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('apply' as const),
      plan,
      barriersMax: fc.integer({ min: 1, max: 4 }),
    }),
  },
  { weight: 1, arbitrary: fc.constant({ do: 'wake' as const }) },
);

export function tales(stepsMax: number): fc.Arbitrary<Tale> {
  return fc.record({
    capacities: fc.array(fc.constantFrom(512, 64 * KiB, MiB, MiB + 37 * 512), { minLength: 1, maxLength: 3 }),
    steps: fc.array(step, { minLength: 3, maxLength: stepsMax }),
  });
}

/** @throws when anything was applied that is no prefix of barriers */
export async function tell(rig: Rig, { capacities, steps }: Tale): Promise<History> {
  const history = new History(rig, await rig.machine(capacities));
  try {
    for (const [index, each] of steps.entries()) {
      if (each.do === 'write') await history.write(writeOf(each, index));
      else if (each.do === 'ship') await history.ship(each.kind, each.plan);
      else if (each.do === 'apply') await history.apply(each.plan, each.barriersMax);
      else await history.wakeLate();
    }
    await history.end();
  } finally {
    await history.close();
  }
  return history;
}

function writeOf(step: Extract<Step, { do: 'write' }>, index: number) {
  const length = step.sectors * 512;
  const noise = () =>
    step.kind === 1 ? randomFrom(index).bytes(length) : Buffer.alloc(length, `step ${index} `);
  const extent = { offset: step.sector * 512, length };
  return { disk: step.disk, extent, data: step.kind === 0 ? null : noise() };
}
