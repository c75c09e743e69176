/**
 * Messages of the workflows. Names only: this module is loaded by clients and inside the sandbox alike.
 * Updates are commands: refused by a synchronous validator or booked and answered at once with the operation id,
 * which is also the update id. The query `describe` is for a close-up; lists come from the catalogue.
 */
import { defineQuery, defineSignal, defineUpdate } from '@temporalio/workflow';
import type {
  CleanupInput,
  CommitInput,
  DisableInput,
  FailoverInput,
  ItemView,
  OperationAccepted,
  ProtectInput,
  TestFailoverInput,
} from './types.ts';

/** Sent with update-with-start. */
export const protectUpdate = defineUpdate<OperationAccepted, [ProtectInput]>('protect');
export const testFailoverUpdate = defineUpdate<OperationAccepted, [TestFailoverInput]>('testFailover');
export const cleanupTestFailoverUpdate = defineUpdate<OperationAccepted, [CleanupInput]>(
  'cleanupTestFailover',
);
export const failoverUpdate = defineUpdate<OperationAccepted, [FailoverInput]>('failover');
export const commitUpdate = defineUpdate<OperationAccepted, [CommitInput]>('commit');
export const disableUpdate = defineUpdate<OperationAccepted, [DisableInput]>('disable');
export const describeQuery = defineQuery<ItemView>('describe');

/** From a real failover to its entity: stop replicating. */
export const stopReplicationSignal = defineSignal('stopReplication');
/** The entity's answer: the sessions have ended, the run may write with this session epoch, newer than theirs. */
export const replicationStoppedSignal =
  defineSignal<[{ readonly sessionEpoch: number }]>('replicationStopped');

/** Workflow type names, for clients that must not import workflow code. */
export const workflowTypes = {
  protectedItem: 'protectedItem',
  failover: 'failover',
  cleanup: 'cleanup',
  vcenterProbe: 'vcenterProbe',
  vcenterDiscovery: 'vcenterDiscovery',
} as const;
