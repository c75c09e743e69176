/** What an operation needs beside the right state. Each guard is a line of docs/protected-item.md. */
import type { ErrorCode } from './errors.ts';
import type { ItemOperation } from './item-operations.ts';
import type { ItemSituation } from './protected-item.ts';

export interface Guard {
  /** As it is printed: what must hold. */
  readonly needs: string;
  readonly code: ErrorCode;
  /** Why the operation is refused; undefined: it is not. */
  refuses(situation: ItemSituation): string | undefined;
}

const noDrill: Guard = {
  needs: 'no test failover exists',
  code: 'DR_OPERATION_REFUSED',
  refuses: ({ drill }) => (drill === 'none' ? undefined : 'a test failover exists; clean it up first'),
};

const someDrill: Guard = {
  needs: 'a test failover exists and is not being changed',
  code: 'DR_OPERATION_REFUSED',
  refuses: ({ drill }) =>
    drill === 'running' || drill === 'failed' || drill === 'cleanupFailed'
      ? undefined
      : 'there is no test failover to clean up',
};

const point: Guard = {
  needs: 'a recovery point in the direction of replication',
  code: 'DR_POINT_NONE',
  refuses: ({ hasRecoveryPoint }) => (hasRecoveryPoint ? undefined : 'there is no recovery point yet'),
};

const replicates: Guard = {
  needs: 'replication is not paused',
  code: 'DR_OPERATION_REFUSED',
  refuses: ({ paused }) => (paused ? 'replication is paused; resume it first' : undefined),
};

const isPaused: Guard = {
  needs: 'replication is paused',
  code: 'DR_OPERATION_REFUSED',
  refuses: ({ paused }) => (paused ? undefined : 'replication is not paused'),
};

const notPaused: Guard = {
  needs: 'replication is not paused already',
  code: 'DR_OPERATION_REFUSED',
  refuses: ({ paused }) => (paused ? 'replication is paused already' : undefined),
};

const notDiverged: Guard = {
  needs: 'nobody else wrote to the disks at home',
  code: 'DR_REPLICATION_DIVERGED',
  refuses: ({ diverged }) =>
    diverged ? 'the disks at home were written to by somebody else; resync first' : undefined,
};

export const guards: Readonly<Partial<Record<ItemOperation, readonly Guard[]>>> = {
  testFailover: [noDrill, point],
  cleanupTestFailover: [someDrill],
  failover: [point],
  completeMigration: [noDrill],
  failback: [point, notDiverged],
  pause: [notPaused],
  resume: [isPaused],
  resync: [replicates],
  verify: [replicates, point],
  addDisks: [replicates],
  disable: [noDrill],
  purge: [noDrill],
};
