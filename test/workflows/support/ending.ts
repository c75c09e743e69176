/** Where a run has ended, in a form in which two endings can be compared: no times, no counters, no epochs. */
import type { Forward, Reverse } from './world/model.ts';
import type { Rig } from './rig.ts';

/** Sessions go round once more first, so that what guests wrote has travelled. */
export async function endingOf(rig: Rig) {
  rig.cycle();
  return { item: await itemOf(rig), world: worldOf(rig) };
}

async function itemOf(rig: Rig) {
  const { state, drill, failover, home, paused, direction, spec, conditions, allowedOperations } =
    await rig.view();
  return {
    state,
    drill: { state: drill.state, runId: drill.runId },
    failover: failover && { runId: failover.runId, vmId: failover.vmId, diskIds: failover.diskIds },
    home: home && { generation: home.generation, home: home.home, azure: home.azure.runId },
    paused,
    direction,
    spec,
    conditions: conditions
      .map(({ type }) => type)
      // That the operation has failed is news, not a change.
      .filter((type) => !type.startsWith('DR_HEALTH_OPERATION_FAILED')),
    allowed: allowedOperations.filter(({ allowed }) => allowed).map(({ operation }) => operation),
  };
}

export function worldOf({ world }: Rig) {
  const { machines, fence, runs, forward, reverse } = world.state;
  return {
    machines: Object.fromEntries(
      Object.entries(machines).map(([id, machine]) => [
        id,
        // A snapshot is named after a barrier, which is a counter.
        { ...machine, snapshots: Object.values(machine.snapshots) },
      ]),
    ),
    fence: fence.owner,
    runs,
    forward: forwardOf(forward),
    reverse: Object.entries(reverse)
      .filter(([, stream]) => !stream.isPurged)
      .map(([id, stream]) => ({ id, ...reverseOf(stream) })),
    leftSnapshots: Object.values(reverse).filter(
      ({ isPurged, snapshots }) => isPurged && snapshots.length > 0,
    ).length,
    sessions: { ...world.sessions },
  };
}

function forwardOf({ barriers, applied, points, pins, hasKey, record }: Forward) {
  return {
    newest: barriers.at(-1),
    newestPoint: barriers[(points.at(-1) ?? 0) - 1],
    isApplied: applied === barriers.length,
    pins,
    hasKey,
    record,
  };
}

function reverseOf({ barriers, landed }: Reverse) {
  return { newest: barriers.at(-1), landed: barriers[landed - 1] };
}

/**
 * What may differ although a run was rolled back. `garbage`: what earlier runs left in Azure, who holds the fence for
 * it, and that a source they have shut down runs again.
 */
export type Harmless = 'homeDisks' | 'replica' | 'staged' | 'garbage' | 'drill' | 'networks';

/** The ending without what may differ. */
export function without({ item, world }: EndingOfRun, leaves: readonly Harmless[]) {
  const { machines, forward, ...rest } = structuredClone(world);
  const { runs } = rest;
  if (leaves.includes('homeDisks')) {
    for (const machine of Object.values(machines)) Object.assign(machine, { content: 0, tracking: false });
  }
  if (leaves.includes('networks')) {
    for (const machine of Object.values(machines)) machine.connected = true;
  }
  if (leaves.includes('staged')) for (const run of Object.values(runs)) run.staged = {};
  const replica = leaves.includes('replica') || leaves.includes('garbage');
  const kept = replica ? { pins: forward.pins } : forward;
  if (leaves.includes('garbage')) {
    Object.assign(rest, { runs: {}, fence: 'either' });
    for (const machine of Object.values(machines)) Object.assign(machine, { power: 'either' });
  }
  const drill = leaves.includes('drill') ? { runs: {} } : {};
  return {
    item: leaves.includes('drill') ? { ...item, drill: 'any' } : item,
    world: { ...rest, ...drill, machines, forward: kept },
  };
}

export type EndingOfRun = Awaited<ReturnType<typeof endingOf>>;
