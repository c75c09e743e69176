/** What every kind of step has in common. */
import { DrError } from '../../domain/errors.ts';
import type { CloudGuests, SiteGuests, StepSecrets } from '../../domain/ports.ts';
import type { StepInput, StepMachine, StepResult, WorkerAction } from '../../workflows/contracts/plan.ts';

export interface StepPorts {
  readonly secrets: StepSecrets;
  /** Programs are started from these folders only; empty: none. */
  readonly commandFolders: readonly string[];
  /** PEM of a further authority that webhooks trust. */
  readonly webhookCa?: string;
  /** Null: this worker has no credentials of Azure. */
  readonly guests: CloudGuests | null;
  /** Null: this worker reaches no vCenter. */
  readonly site: SiteGuests | null;
}

export type ActionOf<K extends WorkerAction['kind']> = Extract<WorkerAction, { readonly kind: K }>;

export type Executor<K extends WorkerAction['kind']> = (
  ports: StepPorts,
  step: StepInput,
  action: ActionOf<K>,
  /** Cancellation of the step. Its time is the executor's own to keep. */
  signal: AbortSignal,
) => Promise<StepResult>;

const OBSERVED_LENGTH_MAX = 1_000;

/** It was tried. */
export function failed(step: StepInput, observed: string, cause?: unknown): DrError {
  const action = actionName(step.action);
  const seen = observed.slice(0, OBSERVED_LENGTH_MAX);
  return new DrError('DR_STEP_FAILED', { step: step.stepName, action, observed: seen }, { cause });
}

/** It was not even tried, and another try would not be either. */
export function refused(step: StepInput, reason: string, remedy: string): DrError {
  const action = actionName(step.action);
  return new DrError('DR_STEP_REFUSED', { step: step.stepName, action, reason, remedy });
}

function actionName(action: WorkerAction): string {
  return action.kind === 'probe' ? `${action.probe.kind} probe` : action.kind;
}

/** @throws DR_STEP_REFUSED */
export function machineOf(step: StepInput, name: string): StepMachine {
  const machine = Object.hasOwn(step.machines, name) ? step.machines[name] : undefined;
  if (machine !== undefined) return machine;
  throw refused(step, `"${name}" is no machine of this run`, 'Name a machine of the plan.');
}

/** Asked anew at every look: a guest that starts reports its address late. Null: nobody knows one now. */
export function addressOf(ports: StepPorts, step: StepInput, name: string): () => Promise<string | null> {
  const { address, source } = machineOf(step, name);
  return async () => {
    if (address !== null || source === undefined || ports.site === null) return address;
    return ports.site.address(source);
  };
}

/** @throws DR_STEP_REFUSED where it runs on premises, or this worker cannot ask Azure */
export function azureOf(
  ports: StepPorts,
  step: StepInput,
  name: string,
): { readonly guests: CloudGuests; readonly vmId: string } {
  const { vmId } = machineOf(step, name);
  if (vmId === undefined) {
    const remedy = 'Limit the step by `when` to the runs that bring the machine to Azure.';
    throw refused(step, `"${name}" does not run in Azure`, remedy);
  }
  if (ports.guests !== null) return { guests: ports.guests, vmId };
  const remedy = 'Send it to the recovery-site worker of the region.';
  throw refused(step, 'this worker has no credentials of Azure', remedy);
}
