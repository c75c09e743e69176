/**
 * Supervises the two sessions of an item: `ship` where the source is and `apply` where the copy is. Forward they run on
 * the site and in Azure, on the way home the other way round.
 *
 * A session lasts at most `SESSION_HOURS`; then the next one starts, and the entity hears of it and continues as new
 * as soon as its slot is free. A session that stops in trouble raises its condition, and the next one is told to
 * report back after its first good cycle, so that the condition is cleared by an observation and not by time; the
 * pause between them grows, so that lasting trouble does not fill the history. `stop` cancels and resolves when all
 * have ended; any ending counts then: a session of a lost site ends as a timeout, not as a cancellation.
 */
import { CancellationScope, isCancellation, sleep } from '@temporalio/workflow';
import type { Condition } from '../../domain/health.ts';
import type { ItemSpec } from '../../domain/machine.ts';
import type { Direction } from '../../domain/streams.ts';
import type { HomeWay } from '../contracts/home.ts';
import type { AppConsistency, SessionOutcome } from '../contracts/types.ts';
import { now } from './job-log.ts';
import { applySessions, landSessions, reverseSessions, shipSessions } from './proxies.ts';
import { longerPause, TROUBLE_PAUSE_MS, troubleOf } from './trouble.ts';

const SESSION_HOURS = 12;

export type SessionSide = 'ship' | 'apply';

/** What is replicated. */
export type Flow =
  | { readonly direction: 'forward'; readonly item: ItemSpec }
  | { readonly direction: 'reverse'; readonly item: ItemSpec; readonly way: HomeWay };

export interface ReplicationHooks {
  /** A number never given out before for this item. */
  nextSessionEpoch(): number;
  onTrouble(side: SessionSide, condition: Condition): void;
  onRecovered(side: SessionSide): void;
  /** Quiescing has begun to fail, or works again. */
  onAppConsistency(appConsistency: AppConsistency): void;
  /** A recovery point was found to differ from its source. */
  onDifference(condition: Condition): void;
  /** Health shows that a recovery point differs. */
  isDifferenceKnown(): boolean;
  /** A condition of this side is shown. */
  isTroubled(side: SessionSide): boolean;
  /** A session reached its planned end; the next one has begun. */
  onSessionEnded(): void;
}

export interface Replication {
  readonly direction: Direction;
  /** Starts the session of a side unless it runs. */
  start(side: SessionSide): void;
  stop(): Promise<void>;
}

export function replication(flow: Flow, hooks: ReplicationHooks): Replication {
  const scopes: Partial<Record<SessionSide, CancellationScope>> = {};
  const endings: Partial<Record<SessionSide, Promise<void>>> = {};

  const run = async (side: SessionSide, scope: CancellationScope) => {
    try {
      await scope.run(() => supervise(flow, side, hooks));
    } catch (error) {
      if (!scope.consideredCancelled) throw error;
    }
  };

  return {
    direction: flow.direction,
    start(side) {
      if (scopes[side] !== undefined) return;
      const scope = new CancellationScope();
      scopes[side] = scope;
      endings[side] = run(side, scope);
    },
    async stop() {
      for (const side of ['ship', 'apply'] as const) {
        scopes[side]?.cancel();
        delete scopes[side];
      }
      await Promise.all(Object.values(endings));
    },
  };
}

async function supervise(flow: Flow, side: SessionSide, hooks: ReplicationHooks): Promise<never> {
  let pauseMs = TROUBLE_PAUSE_MS;
  let noticed: { readonly appConsistency?: AppConsistency } = {};
  for (;;) {
    const endsAt = new Date(Date.now() + SESSION_HOURS * 3_600_000).toISOString();
    const reportRecovery = hooks.isTroubled(side);
    const sessionEpoch = hooks.nextSessionEpoch();
    const known = hooks.isDifferenceKnown() ? { differenceKnown: true as const } : {};
    const terms = { sessionEpoch, endsAt, reportRecovery, ...noticed, ...known };
    const outcome = await runSession(flow, side, terms);
    switch (outcome.outcome) {
      case 'sessionEnded':
        hooks.onSessionEnded();
        break;
      case 'recovered':
        pauseMs = TROUBLE_PAUSE_MS;
        hooks.onRecovered(side);
        break;
      case 'noticed':
        noticed = { appConsistency: outcome.appConsistency };
        pauseMs = TROUBLE_PAUSE_MS;
        hooks.onRecovered(side);
        hooks.onAppConsistency(outcome.appConsistency);
        break;
      case 'differs':
        pauseMs = TROUBLE_PAUSE_MS;
        hooks.onRecovered(side);
        hooks.onDifference({ ...outcome.condition, since: now() });
        break;
      case 'stopped':
        hooks.onTrouble(side, { ...outcome.condition, since: now() });
        await sleep(pauseMs);
        pauseMs = longerPause(pauseMs);
        break;
    }
  }
}

interface SessionTerms {
  readonly sessionEpoch: number;
  readonly endsAt: string;
  readonly reportRecovery: boolean;
  readonly appConsistency?: AppConsistency;
  readonly differenceKnown?: true;
}

/** A session that fails (instead of stopping) is trouble as well: the entity must outlive it. */
async function runSession(flow: Flow, side: SessionSide, terms: SessionTerms): Promise<SessionOutcome> {
  try {
    return await sessionOf(flow, side, terms);
  } catch (error) {
    if (isCancellation(error) || CancellationScope.current().consideredCancelled) throw error;
    return { outcome: 'stopped', condition: troubleOf(error) };
  }
}

function sessionOf(flow: Flow, side: SessionSide, terms: SessionTerms): Promise<SessionOutcome> {
  const { item } = flow;
  const { location } = item.target;
  if (flow.direction === 'reverse') {
    const { way } = flow;
    return side === 'ship'
      ? reverseSessions(location).shipReverseSession({ way, ...terms })
      : landSessions(item.site).landSession({ way, ...terms });
  }
  return side === 'ship'
    ? shipSessions(item.site).shipSession({ item, ...terms })
    : applySessions(location).applySession({ item, ...terms });
}
