/** From the body of a request to the operation as it is booked with the item. */
import type { OperationBody } from '../api/operations.ts';
import { DrError } from '../domain/errors.ts';
import { asId, type PolicyId } from '../domain/ids.ts';
import type { ItemOperation } from '../domain/item-operations.ts';
import type { TargetSettings } from '../domain/machine.ts';
import type { RecoveryPointChoice } from '../domain/replication.ts';
import type { HomePlace } from '../workflows/contracts/home.ts';
import type { OperationRequest } from '../workflows/contracts/types.ts';
import type { Catalogue } from './catalogue/catalogue.ts';
import { policyNamed } from './resolve.ts';

type Body<O extends ItemOperation> = Omit<OperationBody<O>, 'operationId'>;
/** What the workflow takes, beside who asked. */
type Input<O extends ItemOperation> = Omit<OperationRequest<O>, 'operation' | 'operationId' | 'requestedBy'>;
type Inputs = {
  readonly [O in ItemOperation]: (body: Body<O>, catalogue: Catalogue) => Input<O> | Promise<Input<O>>;
};

const nothing = () => ({});

const inputs: Inputs = {
  testFailover: ({ choice, subnetId }) => ({ choice: choiceOf(choice), subnetId }),
  cleanupTestFailover: ({ notes }) => ({ notes }),
  failover: ({ choice, shutdownSource }) => ({ choice: choiceOf(choice), shutdownSource }),
  changeRecoveryPoint: ({ choice }) => ({ choice: choiceOf(choice) }),
  rollback: nothing,
  commit: nothing,
  completeMigration: nothing,
  reprotect: ({ place }) => ({ place: placeOf(place) }),
  failback: nothing,
  cancelFailback: nothing,
  reEnable: nothing,
  pause: nothing,
  resume: nothing,
  resync: nothing,
  verify: ({ choice }) => ({ choice: choiceOf(choice) }),
  updateSettings: async ({ policy, target, priority }, catalogue) => {
    if (target !== undefined) refuseConflict(target);
    return {
      ...(target === undefined ? {} : { target }),
      ...(priority === undefined ? {} : { priority }),
      ...(policy === undefined ? {} : { policy: await policyNamed(catalogue, asId<PolicyId>(policy)) }),
    };
  },
  addDisks: ({ deviceKeys }) => ({ deviceKeys }),
  excludeDisks: ({ deviceKeys }) => ({ deviceKeys }),
  disable: nothing,
  purge: nothing,
};

/** @throws DR_POLICY_UNKNOWN, DR_SETTINGS_CONFLICT */
export async function operationRequest<O extends ItemOperation>(
  operation: O,
  body: Body<O>,
  by: Pick<OperationRequest, 'operationId' | 'requestedBy'>,
  catalogue: Catalogue,
): Promise<OperationRequest> {
  const input = await inputs[operation](body, catalogue);
  return { ...input, ...by, operation } as OperationRequest;
}

type Placement = { readonly [K in 'zone' | 'availabilitySetId']?: TargetSettings[K] | null };

/** @throws DR_SETTINGS_CONFLICT */
export function refuseConflict({ zone, availabilitySetId }: Placement): void {
  if (typeof zone !== 'string' || typeof availabilitySetId !== 'string') return;
  const reason = 'a machine is in an availability zone or in an availability set, not in both';
  throw new DrError('DR_SETTINGS_CONFLICT', { reason });
}

function choiceOf(choice: Body<'failover'>['choice']): RecoveryPointChoice {
  return choice.kind === 'custom' ? { kind: 'custom', pointId: asId(choice.pointId) } : { kind: choice.kind };
}

function placeOf(place: Body<'reprotect'>['place']): HomePlace {
  return place === undefined ? {} : { alternate: place };
}
