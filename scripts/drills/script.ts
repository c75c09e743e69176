/** What one drill meets and what its operator answers: a function of the run's seed and the drill's number. */
import type { JobDecision } from '../../domain/job.ts';
import { randomOf, type Random } from '../../test/support/random.ts';
import type { Victim } from '../../test/e2e/support/strike.ts';
import { armFaultKinds, drawFault, faultKinds, one, type ArmFault, type FaultKind } from './faults.ts';

export interface DrillScript {
  readonly number: number;
  readonly faults: readonly ArmFault[];
  readonly kill?: DrillKill;
  /** Its probe asks a port that nobody listens on. */
  readonly isSilent: boolean;
  /** By the plan's schedule: nobody is there to answer. */
  readonly isScheduled: boolean;
  /** To the first question, the second, and so on; the last one to every further. */
  readonly answers: readonly JobDecision[];
}

export interface DrillKill {
  readonly victim: Victim;
  readonly during: 'drill' | 'cleanup';
  /** After the run has begun. */
  readonly afterMs: number;
}

const victims: readonly Victim[] = ['configuration-server', 'recovery-site', 'process-server', 'temporal'];
const KILL_AFTER_MS_MAX = 4_000;
const ONE_IN_SCHEDULED = 8;
const ONE_IN_DOUBLE = 3;

/** Kinds of faults come round in turn, a third of the drills meets a second one. */
export function scriptOf(seed: number, number: number): DrillScript {
  const random = randomOf(seed * 100_003 + number);
  const kinds = kindsOf(random, number);
  const isScheduled = random.below(ONE_IN_SCHEDULED) === 0;
  const faults = armFaultKinds
    .filter((kind) => kinds.includes(kind))
    .map((kind) => drawFault(random, kind, !isScheduled));
  return {
    number,
    // Without anybody there, what never ends waits for Azure alone.
    faults: faults.filter(({ isForEver }) => !isScheduled || !isForEver),
    ...(kinds.includes('killedProcess') ? { kill: drawKill(random) } : {}),
    isSilent: kinds.includes('silentProbe'),
    isScheduled,
    answers: [
      one(random, ['retry', 'retry', 'skip', 'rollBack', 'keep'] as const),
      one(random, ['retry', 'skip', 'rollBack', 'keep'] as const),
      one(random, ['skip', 'rollBack', 'keep'] as const),
    ],
  };
}

function kindsOf(random: Random, number: number): FaultKind[] {
  const first = faultKinds[number % faultKinds.length] ?? 'throttled';
  return random.below(ONE_IN_DOUBLE) === 0 ? [first, one(random, faultKinds)] : [first];
}

function drawKill(random: Random): DrillKill {
  return {
    victim: one(random, victims),
    during: one(random, ['drill', 'drill', 'cleanup'] as const),
    afterMs: random.below(KILL_AFTER_MS_MAX),
  };
}

/** For people who repeat it. */
export function words({ faults, kill, isSilent, isScheduled, answers }: DrillScript): string {
  return [
    ...faults.map(({ kind, place, count, isForEver }) =>
      [kind, place, isForEver ? 'for ever' : `×${count}`].join(' '),
    ),
    ...(kill === undefined ? [] : [`${kill.victim} killed ${kill.afterMs} ms into the ${kill.during}`]),
    ...(isSilent ? ['silent probe'] : []),
    isScheduled ? 'scheduled' : `answers ${answers.join(', ')}`,
  ].join('; ');
}
