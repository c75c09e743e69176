/** What an item says of itself, as a run of a plan keeps it. */
import type { PlanRunKind } from '../../domain/plan/plan.ts';
import { CHAIN_START, type RecoveryPoint } from '../../domain/replication.ts';
import type { MemberFacts, StepMachine } from '../../workflows/contracts/plan.ts';
import type { FailoverResult, ItemView } from '../../workflows/contracts/types.ts';

/** Where steps find the machine now: the drill's while one runs, otherwise where it runs. */
export function machineOf(view: ItemView): StepMachine {
  const { machineName, activeLocation, drill, failover } = view;
  const azure = drill.result ?? (activeLocation === 'azure' ? failover : undefined);
  if (azure === undefined) return { machineName, address: null, ...sourceOf(view) };
  const { privateIpAddress, vmId } = azure;
  return { machineName, address: privateIpAddress === '' ? null : privateIpAddress, vmId };
}

/** Its site asks vCenter where it answers. */
function sourceOf({ vcenterId, home, spec }: ItemView): Pick<StepMachine, 'source'> {
  const machineId = home?.home.machineId ?? spec?.machineId;
  return machineId === undefined ? {} : { source: { vcenterId, machineId } };
}

export function factsOf(view: ItemView, kind: PlanRunKind): MemberFacts {
  if (kind === 'cleanup') return factsOfCleanup(view);
  const result = kind === 'test' ? view.drill.result : kind === 'failover' ? view.failover : undefined;
  return result === undefined ? {} : factsOfResult(result);
}

/** The last drill was clean: a listing by its tag was empty. */
function factsOfCleanup({ drill }: ItemView): MemberFacts {
  return drill.state === 'none' && drill.last?.clean === true ? { removedRunId: drill.last.runId } : {};
}

function factsOfResult(result: FailoverResult): MemberFacts {
  const { point, source, rtoSeconds, rpoSeconds, resourceGroup } = result;
  return {
    recoveryPointId: point.pointId,
    recoveryPointTime: point.sourceTime,
    consistency: point.consistency,
    source,
    rtoSeconds,
    rpoSeconds,
    resourceGroup,
    ...disksOf(point),
  };
}

const HASH_OF =
  'last segment of the disk up to the recovery point, SHA-256; each segment holds the hash of the one before';

/** What the manifest of the point says; the run itself reads no disk. */
function disksOf({ disks }: RecoveryPoint): Pick<MemberFacts, 'disks'> {
  const known = disks.filter(({ tail }) => tail.hash !== CHAIN_START.hash);
  if (known.length === 0) return {};
  return {
    disks: known.map(({ diskId, capacityBytes, tail }) => ({
      id: diskId,
      bytes: capacityBytes,
      hashOf: HASH_OF,
      hash: tail.hash,
    })),
  };
}
