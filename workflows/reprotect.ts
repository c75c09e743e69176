/**
 * Reprotect: the first of three phases home. The Azure machine starts to replicate to the site.
 *
 * Theory of operation. Before: the failover is committed, the machine runs in Azure, the machine at home is off. After:
 * the disks at home hold a whole state of the Azure machine, and the entity replicates deltas until stopped. Where the
 * original disks still are what was failed over, only what changed in Azure since the first boot travels (and what
 * changed at home since the point); where that cannot be told, blocks that differ by hash; to another place everything.
 *
 * Undo removes the reverse stream, the Azure snapshots and a machine that was made at home, and takes the mark off an
 * original one; its disks may have been written to, which is why a later reprotect compares them. At the same time the
 * Azure machine runs on, undisturbed. No split brain: vSphere's own lock on the disks keeps a power-on away while they
 * are written, and the entity watches the machine. On a crash the copy resumes from its last barrier. When the operator
 * is silent after a failure the run waits.
 */
import type { HomeCopy, HomeWay } from './contracts/home.ts';
import type { ReprotectRun, RunOutcome } from './contracts/runs.ts';
import { copyHome, type CopiedHome } from './lib/copy-home.ts';
import { refusal } from './lib/failures.ts';
import { checkWayHome } from './lib/home-preflight.ts';
import { azureUndo, landings, siteTasks } from './lib/proxies.ts';
import type { Runbook } from './lib/runbook.ts';
import { runRunbook } from './lib/run-runbook.ts';

export interface ReprotectFacts {
  readonly sessionEpoch: number;
  readonly way: HomeWay;
  readonly copy: HomeCopy;
  readonly copied: CopiedHome;
}

export const reprotectBook: Runbook<ReprotectRun, ReprotectFacts> = {
  kind: 'reprotect',
  onFailure: 'wait',
  finish: 'Reprotect goes on to its end.',
  steps: [
    {
      id: 'preflight',
      name: 'Prerequisites check',
      key: 'reads only',
      kind: 'check',
      async run({ item, azure, place }) {
        await checkWayHome({ item, azure, place });
        return {};
      },
    },
    {
      id: 'epoch',
      name: 'Take a session epoch',
      key: 'session epoch of the item',
      kind: 'check',
      run: async (_run, _facts, tools) => ({ facts: { sessionEpoch: await tools.stopReplication() } }),
    },
    {
      id: 'prepare-home',
      name: 'Find or make the machine at home',
      key: 'key of the item’s way home',
      held: 'The machine runs in Azure, unprotected; the machine at home stays off.',
      async run({ item, azure, place, generation }) {
        const policy = item.policy.failback ?? defaultFailbackPolicy(item.policy);
        const way = await siteTasks(item.site).prepareHomeMachine({ item, azure, place, generation, policy });
        return {
          facts: { way },
          detail: way.home.isOriginal ? 'the original machine' : `new machine ${way.home.machineId}`,
        };
      },
      undo: {
        name: 'Let go of the machine at home',
        means: 'The machine at home is as it was, off; one that was made for this is deleted.',
        async run({ item, generation }, { way }) {
          const made = way === undefined ? {} : { way };
          await siteTasks(item.site).releaseHomeMachine({ item, generation, ...made });
          return undefined;
        },
      },
    },
    {
      id: 'describe-home',
      name: 'Find out what the disks at home hold',
      key: 'names of the drift and of the block hashes',
      async run(_run, { way, sessionEpoch = 0 }) {
        const known = present(way);
        if (!known.home.isOriginal)
          return { facts: { copy: 'full' }, detail: 'new disks: everything travels' };
        const { copy } = await landings(known.item.site).describeHomeDisks({
          way: known,
          epoch: sessionEpoch,
        });
        return { facts: { copy }, detail: COPY_WORDS[copy] };
      },
    },
    {
      id: 'open-home',
      name: 'Turn change tracking off at home',
      key: 'setting of the machine',
      async run({ item }, { way }) {
        await siteTasks(item.site).openHomeForWriting({ way: present(way) });
        return {};
      },
    },
    {
      id: 'first-copy',
      name: 'Copy home what is missing there',
      key: 'barriers of the reverse stream',
      async run(_run, { way, sessionEpoch = 0, copy = 'full' }, tools) {
        const copied = await copyHome(present(way), { sessionEpoch, copy, again: false }, tools);
        return { facts: { copied }, detail: copied.words };
      },
      undo: {
        name: 'Remove the reverse stream',
        means: 'Replication home ends; the Azure machine runs on, unprotected.',
        async run({ item }, { way }) {
          if (way === undefined) return undefined;
          await azureUndo(item.target.location).deleteReverseSnapshots({ way });
          const { deletedBlobs } = await landings(item.site).purgeReverseStream({ way });
          return `${deletedBlobs} blobs deleted`;
        },
      },
    },
  ],
  result: (_run, { copy, copied, way }) => ({ copy, ...copied, home: way?.home }),
};

const COPY_WORDS = {
  changes: 'they are what was failed over: only changes travel',
  compare: 'they may have changed: blocks that differ travel',
} as const;

/** An item that was protected before policies had one for failback. */
function defaultFailbackPolicy(policy: ReprotectRun['item']['policy']) {
  return {
    id: policy.id,
    intervalSeconds: policy.intervalSeconds,
    rpoThresholdSeconds: policy.rpoThresholdSeconds,
  };
}

function present(way: HomeWay | undefined): HomeWay {
  if (way === undefined) throw refusal('DR_INTERNAL', { reason: 'there is no way home yet' });
  return way;
}

export async function reprotect(run: ReprotectRun): Promise<RunOutcome<ReprotectFacts>> {
  return runRunbook(reprotectBook, run);
}
