/**
 * One line for every operation of a protected item: which runbook it is, what the run is given, and what the entity
 * holds after it. Pure: the entity only starts the run and writes down what these functions say.
 */
import { raise } from '../../domain/health.ts';
import { asId } from '../../domain/ids.ts';
import type { ItemSpec } from '../../domain/machine.ts';
import type { ItemOperation, Permission } from '../../domain/protected-item.ts';
import type { ItemState } from '../../domain/protected-item.ts';
import type { FailoverResult, Run, RunOutcome } from '../contracts/runs.ts';
import type { HomeWay } from '../contracts/home.ts';
import type { OperationRequest } from '../contracts/types.ts';
import type { HashedPoint, PointCompared } from '../contracts/verify.ts';
import { afterReprotect, afterResync, afterVerify } from './after-comparing.ts';
import { azureSide } from './azure-side.ts';
import { refusal } from './failures.ts';
import { divergence, isDiverged, SPLIT_BRAIN, UNWATCHED } from './item-state.ts';
import type { ItemChanges, ItemRecord } from './item-state.ts';

/** Facts that any runbook may leave; each sets some. */
export interface AnyFacts {
  readonly result: unknown;
  readonly way: HomeWay;
  readonly item: ItemSpec;
  readonly safetySnapshot: string;
  readonly isCleared: boolean;
  readonly isReverted: boolean;
  readonly sourceWas: 'on' | 'off';
  readonly hashed: HashedPoint;
  readonly compared: PointCompared;
}

export type Outcome = RunOutcome<AnyFacts>;

interface RunPlan<O extends ItemOperation> {
  /** Workflow type. */
  workflow(record: ItemRecord): string;
  input(record: ItemRecord, run: Run, request: OperationRequest<O>): Run;
  /** Beside the state, when it begins. */
  starts?(record: ItemRecord, request: OperationRequest<O>): ItemChanges;
  /** Beside the state, when it has ended. `endedAt` ISO 8601. */
  ends?(record: ItemRecord, request: OperationRequest<O>, outcome: Outcome, endedAt: string): ItemChanges;
}

type Plans = { readonly [O in ItemOperation]: RunPlan<O> };

const succeeded = (outcome: Outcome) => outcome.ended === 'succeeded';

const plans: Plans = {
  testFailover: {
    workflow: () => 'failover',
    input: ({ paused }, run, { choice, subnetId, startWhenTold }) => ({
      ...run,
      mode: 'test',
      // While replication is paused nobody makes a newer point than the newest there is.
      choice: paused && choice.kind === 'latest' ? { kind: 'latestProcessed' } : choice,
      subnetId,
      shutdownSource: false,
      removeFirst: [],
      ...(startWhenTold === true ? { startWhenTold } : {}),
    }),
    starts: ({ drill }, { operationId }) => ({ drill: { ...drill, state: 'starting', runId: operationId } }),
    ends: ({ drill }, { operationId }, outcome) => {
      const last = lastOf(drill);
      if (succeeded(outcome)) {
        const result = outcome.facts.result as FailoverResult;
        return { drill: { ...last, state: 'running', runId: operationId, result } };
      }
      return {
        drill:
          outcome.ended === 'lost'
            ? { ...last, state: 'failed', runId: operationId }
            : { ...last, state: 'none' },
      };
    },
  },
  cleanupTestFailover: {
    workflow: () => 'cleanup',
    input: ({ drill }, run, { notes }) => ({ ...run, drillRunId: drill.runId ?? run.runId, notes }),
    starts: ({ drill }) => ({ drill: { ...drill, state: 'cleaningUp' } }),
    ends: ({ drill }, { notes }, outcome, endedAt) => {
      if (!succeeded(outcome)) return { drill: { ...drill, state: 'cleanupFailed' } };
      const runId = drill.runId ?? asId('unknown');
      return { drill: { state: 'none', last: { runId, endedAt, clean: drill.result !== undefined, notes } } };
    },
  },
  failover: {
    workflow: () => 'failover',
    input: (record, run, { choice, shutdownSource, startWhenTold }) => ({
      ...run,
      ...realNetwork(run.item),
      mode: 'real',
      choice,
      shutdownSource,
      removeFirst: record.unremovedRuns,
      ...(record.mayHaveShutDown === true ? { sourceWasOn: true } : {}),
      ...(startWhenTold === true ? { startWhenTold } : {}),
    }),
    ends: (record, { operationId }, outcome) => {
      if (succeeded(outcome)) return { ...failedOver(outcome), mayHaveShutDown: undefined };
      if (outcome.ended === 'undone') return {};
      const { sourceWas } = outcome.facts;
      return {
        unremovedRuns: [...record.unremovedRuns, operationId],
        ...(sourceWas === 'off' ? {} : { mayHaveShutDown: true }),
      };
    },
  },
  changeRecoveryPoint: {
    workflow: () => 'failover',
    input: (record, run, { choice }) => ({
      ...run,
      ...realNetwork(run.item),
      mode: 'real',
      choice,
      shutdownSource: false,
      removeFirst: record.unremovedRuns,
      replaces: failoverOf(record),
    }),
    ends: (record, { operationId }, outcome) => {
      if (succeeded(outcome)) return failedOver(outcome);
      return outcome.ended === 'lost' ? { unremovedRuns: [...record.unremovedRuns, operationId] } : {};
    },
  },
  rollback: {
    workflow: () => 'rollback',
    input: (record, run) => ({
      ...run,
      removeFirst: record.unremovedRuns,
      ...(record.failover === undefined ? {} : { failover: record.failover }),
    }),
    ends: (_record, _request, outcome) =>
      succeeded(outcome)
        ? { failover: undefined, unremovedRuns: [], conditions: [], mayHaveShutDown: undefined }
        : {},
  },
  commit: {
    workflow: (record) => (isHome(record) ? 'commitFailback' : 'commit'),
    input: (record, run) =>
      isHome(record) ? { ...run, way: wayOf(record) } : { ...run, failover: failoverOf(record) },
    ends: (record, _request, outcome) => {
      if (!succeeded(outcome) || !isHome(record)) return {};
      return {
        spec: specAtHome(record),
        home: undefined,
        failover: undefined,
        hasRecoveryPoint: false,
        paused: false,
        homeCompared: record.homeStarts,
        conditions: [],
      };
    },
  },
  completeMigration: {
    workflow: () => 'completeMigration',
    input: (record, run) => ({ ...run, failover: failoverOf(record), generations: record.generation }),
    ends: (_record, _request, outcome) => (succeeded(outcome) ? { hasRecoveryPoint: false } : {}),
  },
  reprotect: {
    workflow: () => 'reprotect',
    input: (record, run, { place }) => ({
      ...run,
      azure: azureSide(run.item, failoverOf(record)),
      place,
      generation: record.generation,
    }),
    // A run that goes on from a lost one keeps its generation, and so finds what that one has made: what it has written
    // at home is not compared again, and a machine that ran there meanwhile has changed it.
    starts: ({ state, generation, unfinishedWay, homeStarts }) =>
      state === 'reprotecting' && unfinishedWay !== undefined
        ? {}
        : { generation: generation + 1, unfinishedWay: generation + 1, homeComparing: homeStarts },
    ends: (record, _request, outcome, endedAt) => {
      const { way = record.home } = outcome.facts;
      const finished = { unfinishedWay: undefined };
      if (succeeded(outcome)) {
        const conditions = afterReprotect(record, endedAt);
        const homeCompared = record.homeComparing;
        return { ...finished, home: way, hasRecoveryPoint: true, homeCompared, conditions };
      }
      if (outcome.ended === 'lost') return { home: way };
      return outcome.refused ? {} : { ...finished, home: undefined };
    },
  },
  failback: {
    workflow: () => 'failback',
    input: (record, run) => ({ ...run, way: wayOf(record) }),
    ends: ({ home, homeStarts }, _request, outcome) => {
      if (home === undefined) return {};
      const { safetySnapshot, isCleared } = outcome.facts;
      const { safetySnapshot: _, ...cleared } = home;
      if (outcome.ended === 'undone') return isCleared === true ? { home: cleared } : {};
      if (safetySnapshot !== undefined) return { home: { ...cleared, safetySnapshot } };
      // Nobody knows whether it was started: only a comparison tells what its disks hold.
      return { homeStarts: homeStarts + 1 };
    },
  },
  cancelFailback: {
    workflow: () => 'cancelFailback',
    input: (record, run) => ({ ...run, way: wayOf(record) }),
    // Back at the safety snapshot the disks are what was landed; without it nobody knows.
    ends: (record, _request, outcome, endedAt) => {
      if (!succeeded(outcome) || record.home === undefined) return {};
      const { safetySnapshot, ...home } = record.home;
      const conditions = record.conditions.filter(({ type }) => type !== SPLIT_BRAIN && type !== UNWATCHED);
      const back = { home, homeSeen: 'off' } as const;
      if (outcome.facts.isReverted === true) return { ...back, conditions, homeCompared: record.homeStarts };
      const isKnown = safetySnapshot === undefined && !isDiverged(record);
      if (isKnown) return { ...back, conditions };
      return {
        ...back,
        homeStarts: record.homeStarts + 1,
        conditions: raise(conditions, divergence(endedAt)),
      };
    },
  },
  reEnable: {
    workflow: () => 'reEnable',
    input: (_record, run) => run,
    ends: (_record, _request, outcome, endedAt) =>
      succeeded(outcome) ? { ...freshSpec(outcome), hasRecoveryPoint: true, protectedSince: endedAt } : {},
  },
  pause: {
    workflow: () => 'pause',
    input: (_record, run) => run,
    ends: (_record, _request, outcome) => (succeeded(outcome) ? { paused: true } : {}),
  },
  resume: {
    workflow: () => 'resume',
    input: (_record, run) => run,
    ends: (_record, _request, outcome) => (succeeded(outcome) ? { paused: false } : {}),
  },
  resync: {
    workflow: () => 'resync',
    input: (record, run) => ({ ...run, ...(record.home === undefined ? {} : { way: record.home }) }),
    starts: ({ homeStarts }) => ({ homeComparing: homeStarts }),
    ends: (record, _request, outcome) =>
      succeeded(outcome)
        ? {
            ...freshSpec(outcome),
            homeCompared: record.homeComparing,
            conditions: afterResync(record),
            hasRecoveryPoint: true,
          }
        : {},
  },
  verify: {
    workflow: () => 'verify',
    input: (_record, run, { choice }) => ({ ...run, choice }),
    ends: (record, _request, outcome, endedAt) =>
      succeeded(outcome) ? { conditions: afterVerify(record, outcome.facts, endedAt) } : {},
  },
  updateSettings: {
    workflow: () => 'updateSettings',
    input: (_record, run, { policy, target, priority }) => ({
      ...run,
      ...(priority === undefined ? {} : { priority }),
      ...(policy === undefined ? {} : { policy }),
      ...(target === undefined ? {} : { target }),
    }),
    ends: (record, _request, outcome) => {
      const { item } = outcome.facts;
      if (!succeeded(outcome) || item === undefined) return {};
      const { policy, target } = item;
      const { home } = record;
      return {
        spec: item,
        protect: { ...record.protect, policy, target },
        ...(home === undefined ? {} : { home: { ...home, item, policy: policy.failback ?? home.policy } }),
      };
    },
  },
  addDisks: {
    workflow: () => 'addDisks',
    input: (_record, run, { deviceKeys }) => ({ ...run, deviceKeys }),
    ends: (_record, _request, outcome) => (succeeded(outcome) ? freshSpec(outcome) : {}),
  },
  excludeDisks: {
    workflow: () => 'excludeDisks',
    input: (_record, run, { deviceKeys }) => ({ ...run, deviceKeys }),
    ends: (_record, _request, outcome) => (succeeded(outcome) ? freshSpec(outcome) : {}),
  },
  disable: {
    workflow: () => 'disable',
    input: (record, run) => ({ ...run, purge: false, generations: record.generation, ...homeOf(record) }),
    ends: (_record, _request, outcome) => (succeeded(outcome) ? ENDED : {}),
  },
  purge: {
    workflow: () => 'disable',
    input: (record, run) => ({ ...run, purge: true, generations: record.generation, ...homeOf(record) }),
    ends: (_record, _request, outcome) => (succeeded(outcome) ? ENDED : {}),
  },
};

const ENDED: ItemChanges = {
  hasRecoveryPoint: false,
  home: undefined,
  unfinishedWay: undefined,
  conditions: [],
};

/** The table's lines are exact for their operation; a request and its line always come together. */
function planOf(operation: ItemOperation): RunPlan<ItemOperation> {
  const lines: Readonly<Record<ItemOperation, unknown>> = plans;
  return lines[operation] as RunPlan<ItemOperation>;
}

export interface PlannedRun {
  readonly workflow: string;
  readonly input: Run;
}

export function plannedRun(record: ItemRecord, spec: ItemSpec, request: OperationRequest): PlannedRun {
  const plan = planOf(request.operation);
  const run: Run = { runId: request.operationId, requestedBy: request.requestedBy, item: spec };
  return { workflow: plan.workflow(record), input: plan.input(record, run, request) };
}

export function changesAtStart(
  record: ItemRecord,
  request: OperationRequest,
  permission: Permission,
): ItemChanges {
  return { state: permission.next, ...planOf(request.operation).starts?.(record, request) };
}

export function changesAtEnd(
  record: ItemRecord,
  request: OperationRequest,
  permission: Permission,
  ended: { readonly outcome: Outcome; readonly at: string },
): ItemChanges {
  return {
    state: stateAfter(request.operation, permission, ended.outcome),
    ...planOf(request.operation).ends?.(record, request, ended.outcome, ended.at),
  };
}

function stateAfter(operation: ItemOperation, permission: Permission, { ended }: Outcome): ItemState {
  if (ended === 'succeeded') return permission.done;
  if (ended === 'undone') return permission.undone;
  return operation === 'failover' ? 'failoverFailed' : permission.next;
}

function failedOver({ facts }: Outcome): ItemChanges {
  const failover = facts.result as FailoverResult;
  return { failover, conditions: [], unremovedRuns: [], homeSeen: 'off', paused: false };
}

function realNetwork({ target }: ItemSpec) {
  const { subnetId, privateIpAddress } = target;
  return { subnetId, ...(privateIpAddress === undefined ? {} : { privateIpAddress }) };
}

function freshSpec({ facts }: Outcome): ItemChanges {
  return facts.item === undefined ? {} : { spec: facts.item };
}

function homeOf({ home, unfinishedWay }: ItemRecord): { way?: HomeWay; unfinishedWay?: number } {
  if (home !== undefined) return { way: home };
  return unfinishedWay === undefined ? {} : { unfinishedWay };
}

const homeStates: readonly ItemState[] = ['failedBack', 'committingFailback'];

function isHome({ state }: ItemRecord): boolean {
  return homeStates.includes(state);
}

/** A machine that came home to another place is another machine with other device keys; its streams stay what they were. */
function specAtHome(record: ItemRecord): ItemSpec | undefined {
  const { spec, home } = record;
  if (spec === undefined || home === undefined) return spec;
  const deviceKeys = new Map(home.disks.map((disk) => [disk.forwardDiskId, disk.deviceKey]));
  if (home.home.isOriginal) return spec;
  const { isPhysical: _, excludedDisks: _keys, ...rest } = spec;
  return {
    ...rest,
    machineId: home.home.machineId,
    disks: spec.disks.map((disk) => ({ ...disk, deviceKey: deviceKeys.get(disk.diskId) ?? disk.deviceKey })),
  };
}

function lastOf({ last }: ItemRecord['drill']) {
  return last === undefined ? {} : { last };
}

function failoverOf({ failover }: ItemRecord): FailoverResult {
  if (failover === undefined) throw refusal('DR_INTERNAL', { reason: 'the item holds no failover' });
  return failover;
}

function wayOf({ home }: ItemRecord): HomeWay {
  if (home === undefined) throw refusal('DR_INTERNAL', { reason: 'the item holds no way home' });
  return home;
}
