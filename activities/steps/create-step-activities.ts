/**
 * Steps of recovery plans that a worker carries out, polled from `steps`, `steps.site.<site>` and `steps.azure.<region>`.
 * A try ends by itself: at `timeoutSeconds`, plus what stopping a program takes. Repeating the same step of the same run
 * is what every kind is made for: docs/plan-steps.md says what that means for each.
 */
import type { StepActivities, StepInput, StepResult, WorkerAction } from '../../workflows/contracts/plan.ts';
import { supervised } from '../supervise.ts';
import { command } from './command.ts';
import { probe } from './probe.ts';
import { runCommand } from './run-command.ts';
import type { Executor, StepPorts } from './step.ts';
import { webhook } from './webhook.ts';

export function createStepActivities(ports: StepPorts): StepActivities {
  return {
    runStep: (input) => supervised(({ signal }) => execute(ports, input, signal)),
  };
}

const executors: { readonly [K in WorkerAction['kind']]: Executor<K> } = {
  command,
  webhook,
  probe,
  runCommand,
};

function execute(ports: StepPorts, step: StepInput, signal: AbortSignal): Promise<StepResult> {
  const { action } = step;
  const executor = executors[action.kind] as Executor<WorkerAction['kind']>;
  return executor(ports, step, action, signal);
}
