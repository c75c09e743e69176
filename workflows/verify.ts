/**
 * Verify: all blocks of the source against a recovery point, by hashes on both sides.
 *
 * Theory of operation. Before: the item is protected and replicates. After: the same; the job says what was compared
 * and which ranges differ, and when any do, health shows it and the point is marked. Nothing is copied: a resync is the
 * operator's choice. What the source has changed since the point, by change tracking, cannot be compared and is left
 * out. At the same time nothing replicates: the RPO grows while it runs. A real failover displaces it. On a crash the
 * run goes on at its step; a failure ends it, and replication goes on.
 */
import type { RunOutcome, VerifyRun } from './contracts/runs.ts';
import type { HashedPoint, PointCompared } from './contracts/verify.ts';
import { present } from './lib/failures.ts';
import { drains, initialCopy } from './lib/proxies.ts';
import type { Runbook } from './lib/runbook.ts';
import { runRunbook } from './lib/run-runbook.ts';
import { mebibytes } from './lib/words.ts';

export interface VerifyFacts {
  readonly sessionEpoch: number;
  readonly hashed: HashedPoint;
  readonly compared: PointCompared;
}

export const verifyBook: Runbook<VerifyRun, VerifyFacts> = {
  kind: 'verify',
  onFailure: 'rollBack',
  finish: 'The comparison goes on to its end.',
  steps: [
    {
      id: 'stop-replication',
      name: 'Stop replication',
      key: 'session epoch of the item',
      held: 'The machine runs on; replication is stopped and recovery points grow older.',
      run: async (_run, _facts, tools) => ({ facts: { sessionEpoch: await tools.stopReplication() } }),
    },
    {
      id: 'hash-point',
      name: 'Hash the recovery point',
      key: 'name of the block hashes',
      async run({ item, choice }, { sessionEpoch = 0 }) {
        const hashed = await drains(item.target.location).hashPoint({ item, sessionEpoch, choice });
        return { facts: { hashed }, detail: `${hashed.pointId} of ${hashed.sourceTime}` };
      },
    },
    {
      id: 'compare',
      name: 'Compare the source with it',
      key: 'reads only',
      async run({ item }, { hashed }) {
        const compared = await initialCopy(item.site).comparePoint({ item, hashed: present(hashed) });
        return { facts: { compared }, detail: wordsOf(compared) };
      },
    },
  ],
  result: (_run, { hashed, compared }) => ({
    pointId: hashed?.pointId,
    comparedBytes: compared?.comparedBytes,
    changedBytes: compared?.changedBytes,
    differingBytes: compared?.differingBytes,
    disks: compared?.disks,
  }),
};

function wordsOf({ comparedBytes, changedBytes, differingBytes }: PointCompared): string {
  const found = differingBytes === 0 ? 'all equal' : `${mebibytes(differingBytes)} differ`;
  const leftOut = changedBytes === 0 ? '' : `; ${mebibytes(changedBytes)} changed since and left out`;
  return `${mebibytes(comparedBytes)} compared, ${found}${leftOut}`;
}

export async function verify(run: VerifyRun): Promise<RunOutcome<VerifyFacts>> {
  return runRunbook(verifyBook, run);
}
