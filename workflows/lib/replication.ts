/**
 * Supervises the two sessions of an item: `ship` on the site and `apply` in Azure.
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
import type { SessionOutcome, ShipSessionInput } from '../contracts/types.ts';
import { now } from './job-log.ts';
import { applySessions, shipSessions } from './proxies.ts';
import { longerPause, TROUBLE_PAUSE_MS, troubleOf } from './trouble.ts';

const SESSION_HOURS = 12;

export type SessionSide = 'ship' | 'apply';

export interface ReplicationHooks {
  /** A number never given out before for this item. */
  nextSessionEpoch(): number;
  onTrouble(side: SessionSide, condition: Condition): void;
  onRecovered(side: SessionSide): void;
  /** A condition of this side is shown. */
  isTroubled(side: SessionSide): boolean;
  /** A session reached its planned end; the next one has begun. */
  onSessionEnded(): void;
}

export interface Replication {
  /** Starts the session of a side unless it runs. */
  start(side: SessionSide): void;
  stop(): Promise<void>;
}

export function replication(item: ItemSpec, hooks: ReplicationHooks): Replication {
  const scopes: Partial<Record<SessionSide, CancellationScope>> = {};
  const endings: Partial<Record<SessionSide, Promise<void>>> = {};

  const run = async (side: SessionSide, scope: CancellationScope) => {
    try {
      await scope.run(() => supervise(item, side, hooks));
    } catch (error) {
      if (!scope.consideredCancelled) throw error;
    }
  };

  return {
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

async function supervise(item: ItemSpec, side: SessionSide, hooks: ReplicationHooks): Promise<never> {
  let pauseMs = TROUBLE_PAUSE_MS;
  for (;;) {
    const endsAt = new Date(Date.now() + SESSION_HOURS * 3_600_000).toISOString();
    const reportRecovery = hooks.isTroubled(side);
    const outcome = await runSession(side, {
      item,
      sessionEpoch: hooks.nextSessionEpoch(),
      endsAt,
      reportRecovery,
    });
    switch (outcome.outcome) {
      case 'sessionEnded':
        hooks.onSessionEnded();
        break;
      case 'recovered':
        pauseMs = TROUBLE_PAUSE_MS;
        hooks.onRecovered(side);
        break;
      case 'stopped':
        hooks.onTrouble(side, { ...outcome.condition, since: now() });
        await sleep(pauseMs);
        pauseMs = longerPause(pauseMs);
        break;
    }
  }
}

/** A session that fails (instead of stopping) is trouble as well: the entity must outlive it. */
async function runSession(side: SessionSide, input: ShipSessionInput): Promise<SessionOutcome> {
  try {
    return side === 'ship'
      ? await shipSessions(input.item.site).shipSession(input)
      : await applySessions(input.item.target.location).applySession(input);
  } catch (error) {
    if (isCancellation(error) || CancellationScope.current().consideredCancelled) throw error;
    return { outcome: 'stopped', condition: troubleOf(error) };
  }
}
