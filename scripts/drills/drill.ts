/** One drill of one plan and its cleanup, with what its script says goes wrong, and a look at everything after it. */
import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import type { Job } from '../../api/jobs.ts';
import { kill } from '../../test/e2e/support/strike.ts';
import { toldToAzure, type FaultKind } from './faults.ts';
import type { Ground, Lane } from './ground.ts';
import { Operator } from './operator.ts';
import type { DrillScript } from './script.ts';
import type { Finding, Witness } from './witness.ts';

export interface DrillReport {
  readonly run: string;
  /** Of the drill itself. */
  readonly ended: Job['state'];
  readonly decisions: readonly string[];
  /** Kinds that struck. */
  readonly struck: readonly FaultKind[];
  /** Of the kinds asked for, those that never did. */
  readonly missed: readonly FaultKind[];
  readonly findings: readonly Finding[];
  readonly seconds: number;
}

/** One kill at a time: the next waits until the victim before runs again. */
export class Killer {
  #turn: Promise<unknown> = Promise.resolve();

  kill(ground: Ground, victim: Parameters<typeof kill>[1]): Promise<unknown> {
    const turn = this.#turn.then(() => kill(ground.practice, victim));
    this.#turn = turn.catch(() => undefined);
    return turn;
  }
}

export interface DrillAround {
  readonly ground: Ground;
  readonly witness: Witness;
  readonly killer: Killer;
}

interface Part {
  isOver: boolean;
}

const STUCK_LOOK_MS = 500;

export async function drill(around: DrillAround, lane: Lane, script: DrillScript): Promise<DrillReport> {
  const { ground, witness } = around;
  const { machines } = lane;
  const startedAt = Date.now();
  const plan = script.isSilent ? lane.silentPlan : lane.plan;
  const operator = new Operator(ground.practice, script.answers);
  const before = await witness.points(machines);
  const struck = new Set<FaultKind>(script.isSilent ? ['silentProbe'] : []);
  const chosen = randomUUID();
  const faults = new LaneFaults(around, lane, script, chosen);
  await faults.set();
  const part: Part = { isOver: false };
  const whole = (async () => {
    const run = script.isScheduled ? await operator.trigger(plan) : chosen;
    if (!script.isScheduled) await operator.begin(plan, 'test', run);
    return { run, job: await operator.attendDrill(run) };
  })().finally(() => (part.isOver = true));
  const meanwhile = [killDuring(around, script, 'drill', part, struck), faults.endStuck(operator, part)];
  const { run, job } = await whole;
  await Promise.all(meanwhile);
  const findings: Finding[] = [...(await witness.duplicates(run)), ...endings(script, job)];
  findings.push(...(await cleanUp(around, { operator, plan, run, job, script, struck })));
  for (const kind of await faults.withdraw()) struck.add(kind);
  findings.push(...(await witness.look(machines, run, before)));
  const wanted = new Set<FaultKind>([
    ...script.faults.map(({ kind }) => kind),
    ...(script.kill === undefined ? [] : ['killedProcess' as const]),
  ]);
  return {
    run,
    ended: job.state,
    decisions: operator.decisions,
    struck: [...struck],
    missed: [...wanted].filter((kind) => !struck.has(kind)),
    findings,
    seconds: (Date.now() - startedAt) / 1_000,
  };
}

async function cleanUp(
  around: DrillAround,
  of: {
    readonly operator: Operator;
    readonly plan: string;
    readonly run: string;
    readonly job: Job;
    readonly script: DrillScript;
    readonly struck: Set<FaultKind>;
  },
): Promise<Finding[]> {
  const { operator, plan, run, job, script, struck } = of;
  const isBySchedule = script.isScheduled && job.state === 'succeeded';
  const cleanup = isBySchedule ? `${run}-cleanup` : `${run}-c`;
  const part: Part = { isOver: false };
  const killing = killDuring(around, script, 'cleanup', part, struck);
  if (!isBySchedule) await operator.begin(plan, 'cleanup', cleanup);
  const ended = await operator.attendCleanup(cleanup).finally(() => (part.isOver = true));
  await killing;
  return ended.state === 'succeeded'
    ? []
    : [{ kind: 'run', what: `cleanup ${cleanup} is ${ended.state}: ${JSON.stringify(ended.error)}` }];
}

/** A drill that nothing was in the way of succeeds; otherwise it ends as its operator, or nobody, has decided. */
function endings({ isScheduled, isSilent }: DrillScript, { id, state, error }: Job): Finding[] {
  if (state === 'succeeded') return [];
  const isExplained = isSilent || !isScheduled || error !== undefined;
  return isExplained ? [] : [{ kind: 'run', what: `drill ${id} is ${state} and says not why` }];
}

async function killDuring(
  { ground, killer }: DrillAround,
  { kill: wanted }: DrillScript,
  during: 'drill' | 'cleanup',
  part: Part,
  struck: Set<FaultKind>,
): Promise<void> {
  if (wanted?.during !== during) return;
  await pause(wanted.afterMs);
  if (part.isOver) return;
  await killer.kill(ground, wanted.victim);
  struck.add('killedProcess');
}

/** What the practice Azure does wrong to the machines of a lane. */
class LaneFaults {
  readonly #around: DrillAround;
  readonly #machine: string;
  readonly #script: DrillScript;
  readonly #run: string;

  constructor(around: DrillAround, { machines }: Lane, script: DrillScript, run: string) {
    this.#around = around;
    this.#machine = machines[script.number % machines.length] ?? '';
    this.#script = script;
    this.#run = run;
  }

  async set(): Promise<void> {
    const of = { machine: this.#machine, run: this.#run };
    for (const [index, fault] of this.#script.faults.entries()) {
      await this.#client.post('/_lab/faults', toldToAzure(fault, this.#name(index), of));
    }
  }

  /** An operator sees that an operation of Azure does not end, and takes that machine back. */
  async endStuck(operator: Operator, part: Part): Promise<void> {
    const index = this.#script.faults.findIndex(({ isForEver }) => isForEver);
    if (index === -1) return;
    while (!part.isOver) {
      await pause(STUCK_LOOK_MS);
      const waiting = await this.#client.get<readonly { readonly name?: string }[]>('/_lab/faults');
      if (waiting.some(({ name }) => name === this.#name(index))) continue;
      if (await operator.takeBack(this.#machine)) return;
    }
  }

  /** Answers the kinds that have struck at least once. */
  async withdraw(): Promise<FaultKind[]> {
    const struck: FaultKind[] = [];
    for (const [index, fault] of this.#script.faults.entries()) {
      const left = await this.#client.delete<readonly { readonly count: number }[]>('/_lab/faults', {
        name: this.#name(index),
      });
      if ((left[0]?.count ?? 0) < fault.count) struck.push(fault.kind);
    }
    return struck;
  }

  get #client() {
    return this.#around.ground.practice.lab.azure.client;
  }

  #name(index: number): string {
    return `drill-${this.#script.number}-${index}`;
  }
}
