/**
 * Messages of the workflows. Names only: this module is loaded by clients and inside the sandbox alike.
 * Updates are commands: refused by a synchronous validator or booked and answered at once with the operation id,
 * which is also the update id. The query `describe` is for a close-up; lists come from the catalogue.
 */
import { defineQuery, defineSignal, defineUpdate } from '@temporalio/workflow';
import type { Job } from '../../domain/job.ts';
import type { PlanDecision } from './plan.ts';
import type { ReplicationStopped } from './runs.ts';
import type { DecisionInput, ItemView, OperationAccepted, OperationRequest, ProtectInput } from './types.ts';

/** Sent with update-with-start. */
export const protectUpdate = defineUpdate<OperationAccepted, [ProtectInput]>('protect');
/** Every operation of the state table; refused with the table's code and reason. */
export const operateUpdate = defineUpdate<OperationAccepted, [OperationRequest]>('operate');
export const describeQuery = defineQuery<ItemView>('describe');

/** To a run: an operator's decision; refused with the reason when it is not among the job's choices. */
export const decideUpdate = defineUpdate<OperationAccepted, [DecisionInput]>('decide');
/** To the run of a plan. */
export const decidePlanUpdate = defineUpdate<OperationAccepted, [PlanDecision]>('decidePlan');
/** To a run: the job as it stands. */
export const jobQuery = defineQuery<Job>('job');

/** From a run to its entity: stop replicating. */
export const stopReplicationSignal = defineSignal('stopReplication');
/** The entity's answer: the sessions have ended. */
export const replicationStoppedSignal = defineSignal<[ReplicationStopped]>('replicationStopped');
/** From the entity to a run that something more urgent displaces: end at once, undo nothing. */
export const giveWaySignal = defineSignal('giveWay');
/** To a run that was begun with `startWhenTold`: answers once it waits for its turn. A run that ends before answers nothing. */
export const atTurnUpdate = defineUpdate<void>('atTurn');
/** To such a run: its machine starts now; or its turn never comes, because the run of the plan has ended. */
export const turnUpdate = defineUpdate<void, [{ readonly comes: boolean }]>('turn');
/** To every entity when workers of a new version are there: continue as new soon. */
export const upgradeSignal = defineSignal('upgrade');

/** Workflow type names, for clients that must not import workflow code. */
export const workflowTypes = {
  protectedItem: 'protectedItem',
  planRun: 'planRun',
  scheduledDrill: 'scheduledDrill',
  itemCheck: 'itemCheck',
  regionLook: 'regionLook',
  priceLook: 'priceLook',
  vcenterProbe: 'vcenterProbe',
  vcenterAdd: 'vcenterAdd',
  vcenterDiscovery: 'vcenterDiscovery',
} as const;
