import type { ByteStore } from './bytes.ts';
import type { PowerChange, Vm, Workload } from './model.ts';
import type { Change, Store } from './store.ts';
import { workloadFacts } from './workload.ts';

/**
 * What follows from changes of machines and is committed with them: every change of power is recorded, and the
 * workload of a guest that stops ends with its final figures.
 */
export function consequencesOf(store: Store, bytes: ByteStore, changes: readonly Change[]): Change[] {
  const now = Date.now();
  return changes.flatMap((change) => {
    const [before, after] = machineOf(store, change);
    if (before === null && after === null) return [];
    const machine = (after ?? before)?.id ?? '';
    const power: PowerChange['state'] = after?.facts.power ?? 'deleted';
    const workload = store.workload(machine);
    return [
      ...(before?.facts.power === power ? [] : [{ power: { machine, at: now, state: power } }]),
      ...(workload !== undefined && isRunning(before) && !isRunning(after)
        ? [{ workload: ended(store, bytes, workload) }]
        : []),
    ];
  });
}

/** Its guest runs: it can write. */
export function isRunning(vm: Vm | null | undefined): boolean {
  return vm?.facts.power === 'running' && vm.state !== 'Deleting';
}

export function ended(store: Store, bytes: ByteStore, workload: Workload): Workload {
  return workload.final === null ? { ...workload, final: workloadFacts(store, bytes, workload) } : workload;
}

function machineOf(store: Store, change: Change): [Vm | null, Vm | null] {
  const type = 'Microsoft.Compute/virtualMachines';
  if ('put' in change && change.put.type === type) {
    return [store.find(type, change.put.id) ?? null, change.put];
  }
  return ['remove' in change ? (store.find(type, change.remove) ?? null) : null, null];
}
