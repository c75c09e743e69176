/** An input for every operation, as an operator might give it. */
import type { ItemOperation } from '../../../domain/protected-item.ts';
import type { OperationInput, Rig } from './rig.ts';
import { DEVICE_KEYS } from './world/samples.ts';

type Inputs = { readonly [O in ItemOperation]: OperationInput<O> };

export const inputs: Inputs = {
  testFailover: { choice: { kind: 'latest' }, subnetId: '/subnets/drill' },
  cleanupTestFailover: { notes: 'done' },
  failover: { choice: { kind: 'latest' }, shutdownSource: true },
  changeRecoveryPoint: { choice: { kind: 'latest' } },
  rollback: {},
  commit: {},
  completeMigration: {},
  reprotect: { place: {} },
  failback: {},
  cancelFailback: {},
  reEnable: {},
  pause: {},
  resume: {},
  resync: {},
  verify: { choice: { kind: 'latest' } },
  updateSettings: { target: { vmSize: 'Standard_D4s_v5' } },
  addDisks: { deviceKeys: [2_003] },
  excludeDisks: { deviceKeys: [DEVICE_KEYS[1] ?? 0] },
  disable: {},
  purge: {},
};

export function book(rig: Rig, operation: ItemOperation) {
  return rig.book(operation, inputs[operation]);
}
