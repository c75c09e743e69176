/** The few activities that a replicating item needs, as ordinary activities on ordinary queues; what they do is written down. */
import { Context } from '@temporalio/activity';
import { asId } from '../../../domain/ids.ts';
import type { ItemSpec } from '../../../domain/machine.ts';
import type { ItemView, ProtectInput, SessionOutcome } from '../../../workflows/contracts/types.ts';

interface SessionTerms {
  readonly item: ItemSpec;
  readonly sessionEpoch: number;
}

export interface SessionEvent {
  readonly item: string;
  readonly what: 'began' | 'cancelled';
  readonly sessionEpoch: number;
  readonly atMs: number;
}

export class ScriptedSite {
  readonly views = new Map<string, ItemView>();
  /** Of the shipping sessions, in order. */
  readonly sessions: SessionEvent[] = [];
  /** While above 0 a session answers at once that it has recovered, and counts one down. */
  storm = 0;
  /** A recovery point waits. */
  isHeld = false;
  #holdPoints: Promise<void> | undefined;
  #goOn = () => {};

  /** Makes recovery points wait until `goOn`. */
  holdPoints(): void {
    this.#holdPoints = new Promise((resolve) => (this.#goOn = resolve));
  }

  goOn(): void {
    this.#holdPoints = undefined;
    this.#goOn();
  }

  sessionsOf(item: string): readonly SessionEvent[] {
    return this.sessions.filter((event) => event.item === item);
  }

  catalogue() {
    return {
      recordItem: async ({ view }: { view: ItemView }) => {
        if (view.revision >= (this.views.get(view.itemId)?.revision ?? 0)) this.views.set(view.itemId, view);
      },
      recordJob: async () => undefined,
    };
  }

  site() {
    return {
      checkMachine: async (input: ProtectInput) => specOf(input),
      prepareItem: async () => undefined,
      enableChangeTracking: async () => undefined,
      initialReplication: async () => ({
        barrierNumber: 1,
        totals: { cycles: 1, readBytes: 0, rawBytes: 0, wireBytes: 0 },
      }),
      resolvePoint: async () => {
        this.isHeld = this.#holdPoints !== undefined;
        await this.#holdPoints;
        this.isHeld = false;
        return { pointId: 'p1', sourceTime: new Date(0).toISOString() };
      },
      watchRpo: untilCancelled,
      shipSession: async (terms: SessionTerms) => this.#session(terms, true),
      applySession: async (terms: SessionTerms) => this.#session(terms, false),
    };
  }

  async #session({ item, sessionEpoch }: SessionTerms, isRecorded: boolean): Promise<SessionOutcome> {
    if (this.storm > 0) {
      this.storm -= 1;
      return { outcome: 'recovered' };
    }
    const record = (what: SessionEvent['what']) => {
      if (isRecorded) this.sessions.push({ item: item.itemId, what, sessionEpoch, atMs: Date.now() });
    };
    record('began');
    try {
      return await untilCancelled();
    } finally {
      record('cancelled');
    }
  }
}

async function untilCancelled(): Promise<never> {
  const context = Context.current();
  const beats = setInterval(() => context.heartbeat(), 250);
  try {
    return await context.cancelled;
  } finally {
    clearInterval(beats);
  }
}

function specOf(input: ProtectInput): ItemSpec {
  return {
    version: 1,
    itemId: input.itemId,
    machineId: asId(input.itemId),
    machineName: input.machineName,
    vcenterId: input.vcenterId,
    site: input.site,
    guestFamily: 'linux',
    firmware: 'bios',
    disks: [
      {
        diskId: asId('1'.repeat(32)),
        deviceKey: 2_000,
        label: 'Hard disk 1',
        capacityBytes: 1 << 20,
        index: 0,
      },
    ],
    policy: input.policy,
    target: input.target,
  };
}
