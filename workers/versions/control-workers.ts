/**
 * The workers that run the workflows: one of this build, and one for each older (or newer) build that still has open runs.
 *
 * Runs are pinned: what began on a build ends on it, or continues as new on the current one. So an upgrade keeps the
 * builds before it, makes its own current, asks the entities to move, and drops a build when nothing is open on it.
 * Each step may be repeated, by this process after a kill or by another configuration server at the same time.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { WorkflowBuild } from '../bundle.ts';
import { untilAnswered } from '../temporal.ts';
import type { BuildStore } from './build-store.ts';
import type { Deployment } from './deployment.ts';

export interface Pace {
  /** Between looks at the builds that are kept, and at the entities that are open on others. */
  readonly lookMs: number;
  /** Looks in a row without an open run before a build is dropped: visibility is late. */
  readonly quietLooks: number;
  /** Between two entities that are asked to move. */
  readonly askMs: number;
}

/** Between looks whether Temporal has seen the worker of this build, and has told all task queues. */
const TEMPORAL_NOTICES_MS = 200;
const PACE: Pace = { lookMs: 30_000, quietLooks: 6, askMs: 20 };

export interface ControlWorkersOptions {
  readonly own: WorkflowBuild;
  readonly store: BuildStore;
  readonly deployment: Deployment;
  /** Runs a worker of this build until `signal`; rejects when it fails for good. */
  readonly serve: (build: WorkflowBuild, signal: AbortSignal) => Promise<void>;
  readonly log: Logger;
  readonly signal: AbortSignal;
  readonly pace?: Pace;
}

type Running = Required<ControlWorkersOptions>;

/** Resolves when all workers have stopped after `signal`; rejects when the one of this build fails for good. */
export async function runControlWorkers(options: ControlWorkersOptions): Promise<void> {
  const own = await options.store.keep(options.own);
  const stop = new AbortController();
  const signal = AbortSignal.any([options.signal, stop.signal]);
  const during = { ...options, own, signal, pace: options.pace ?? PACE };
  const unlessStopped = (error: unknown) => {
    if (!signal.aborted) throw error;
  };
  const running = [
    options.serve(own, signal),
    takeOver(during)
      .then(() => askToMove(during))
      .catch(unlessStopped),
    serveKept(during).catch(unlessStopped),
  ];
  try {
    await Promise.all(running);
  } finally {
    stop.abort();
    await Promise.allSettled(running);
  }
}

/**
 * A server makes its build current once, when it was upgraded or downgraded, and never because it was started again:
 * else two servers of different builds would take the runs away from each other at every restart.
 */
async function takeOver({ own, store, deployment, log, signal }: Running): Promise<void> {
  const { buildId } = own;
  const look = () => deployment.current();
  const current = (await untilAnswered({ what: 'reading the current build', log, signal }, look))?.buildId;
  if ((await store.madeCurrent()) === buildId && current !== undefined) {
    if (current === buildId) return;
    const remedy = 'upgrade this server, or remove made-current from its workflow-bundles and start it again';
    return log.warn(
      { current, buildId, remedy },
      'another build is current: this one ends what is open on it',
    );
  }
  const what = `making build ${buildId} current`;
  const isMade = async () => {
    if (!(await deployment.makeCurrent(buildId))) return false;
    return (await deployment.current())?.isEverywhere === true;
  };
  while (!(await untilAnswered({ what, log, signal }, isMade))) {
    await delay(TEMPORAL_NOTICES_MS, undefined, { signal });
  }
  await store.recordMadeCurrent(buildId);
  log.info({ deployment: deployment.name, buildId, before: current }, 'this build is current');
}

/** Each run that is open on another build is asked once; one that misses it sees the change by itself at its next task. */
async function askToMove({ own, store, deployment, log, signal, pace }: Running): Promise<void> {
  const { buildId } = own;
  const asked = new Set<string>();
  const look = async () => {
    const current = await deployment.current();
    if (current?.buildId !== buildId || !current.isEverywhere) return;
    const known = new Set((await store.list()).map((kept) => kept.buildId));
    const strangers = new Set<string>();
    const askedBefore = asked.size;
    for await (const entity of deployment.entitiesElsewhere(current)) {
      if (asked.has(entity.runId)) continue;
      await deployment.askToUpgrade(entity);
      asked.add(entity.runId);
      if (entity.buildId !== undefined && !known.has(entity.buildId)) strangers.add(entity.buildId);
      await delay(pace.askMs, undefined, { signal });
    }
    const entities = asked.size - askedBefore;
    if (entities > 0) log.info({ buildId, entities }, 'entities were asked to continue on this build');
    if (strangers.size === 0) return;
    const remedy = 'unless another configuration server runs them, copy their files into workflow-bundles';
    log.warn({ builds: [...strangers], remedy }, 'entities are open on builds that are not kept here');
  };
  await everyLook({ log, signal, pace }, look);
}

/** Looks until `signal` is aborted, whatever a look meets. */
async function everyLook(
  { log, signal, pace }: Pick<Running, 'log' | 'signal' | 'pace'>,
  look: () => Promise<void>,
): Promise<never> {
  for (;;) {
    try {
      await look();
    } catch (error) {
      signal.throwIfAborted();
      log.warn({ err: error }, 'cannot see which builds are needed; looking again');
    }
    await delay(pace.lookMs, undefined, { signal });
  }
}

interface Kept {
  readonly stop: AbortController;
  readonly ended: Promise<void>;
}

/** Builds of the store come and go: each look starts what is missing and ends what has drained. */
async function serveKept({ own, store, deployment, serve, log, signal, pace }: Running): Promise<void> {
  const served = new Map<string, Kept>();
  const quietLooks = new Map<string, number>();

  const start = (build: WorkflowBuild): Kept => {
    const stop = new AbortController();
    const ended = serve(build, AbortSignal.any([signal, stop.signal]))
      .catch((error: unknown) =>
        log.error({ err: error, buildId: build.buildId }, 'a kept build does not run'),
      )
      .finally(() => served.delete(build.buildId));
    const kept = { stop, ended };
    served.set(build.buildId, kept);
    log.info({ buildId: build.buildId }, 'serving the open runs of another build');
    return kept;
  };

  const look = async ({ buildId }: WorkflowBuild, kept: Kept, current: string | undefined) => {
    const isNeeded = buildId === current || (await deployment.openRuns(buildId)) > 0;
    const quiet = isNeeded ? 0 : (quietLooks.get(buildId) ?? 0) + 1;
    quietLooks.set(buildId, quiet);
    if (quiet < pace.quietLooks) return;
    kept.stop.abort();
    await kept.ended;
    await store.remove(buildId);
    quietLooks.delete(buildId);
    log.info({ buildId }, 'nothing is open on this build any more: dropped');
  };

  try {
    await everyLook({ log, signal, pace }, async () => {
      const others = (await store.list()).filter(({ buildId }) => buildId !== own.buildId);
      const serving = others.map((build) => ({ build, kept: served.get(build.buildId) ?? start(build) }));
      const current = (await deployment.current())?.buildId;
      for (const { build, kept } of serving) await look(build, kept, current);
    });
  } finally {
    await Promise.allSettled([...served.values()].map(({ ended }) => ended));
  }
}
