/** Steps as a run of a plan hands them to a worker, carried out as the worker does. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createStepActivities } from '../../../../activities/steps/create-step-activities.ts';
import type { StepPorts } from '../../../../activities/steps/step.ts';
import { asId } from '../../../../domain/ids.ts';
import { createSecretsFolder } from '../../../../providers/steps/secrets-folder.ts';
import type {
  StepInput,
  StepMachine,
  StepResult,
  WorkerAction,
} from '../../../../workflows/contracts/plan.ts';
import { inActivity, type AttemptOptions } from '../../support/in-activity.ts';

export interface StepRig {
  readonly folder: string;
  /** Programs that steps may start. */
  readonly programs: string;
  readonly ports: StepPorts;
  /** Writes a program of a few lines; answers its path. */
  program(name: string, lines: readonly string[], mode?: number): Promise<string>;
  secret(name: string, value: string, mode?: number): Promise<void>;
  close(): Promise<void>;
}

export async function openStepRig(): Promise<StepRig> {
  const folder = await mkdtemp(join(tmpdir(), 'switchback-steps-'));
  const [programs, secrets] = [join(folder, 'programs'), join(folder, 'secrets')];
  await Promise.all([mkdir(programs), mkdir(secrets)]);
  return {
    folder,
    programs,
    ports: {
      secrets: createSecretsFolder(secrets),
      commandFolders: [programs],
      guests: null,
      site: null,
    },
    async program(name, lines, mode = 0o755) {
      const file = join(programs, name);
      await writeFile(file, ['#!/bin/sh', ...lines, ''].join('\n'), { mode });
      return file;
    },
    secret: (name, value, mode = 0o600) => writeFile(join(secrets, name), `${value}\n`, { mode }),
    close: () => rm(folder, { recursive: true, force: true }),
  };
}

export function stepOf(action: WorkerAction, over: Partial<StepInput> = {}): StepInput {
  return {
    runId: asId('run-1'),
    planName: 'shop',
    planVersion: 3,
    kind: 'test',
    stepName: 'the-step',
    action,
    machines: {},
    timeoutSeconds: 5,
    ...over,
  };
}

export function machineAt(address: string | null): StepMachine {
  return { machineName: 'web', address };
}

export function runStep(
  ports: StepPorts,
  step: StepInput,
  options: AttemptOptions = {},
): Promise<StepResult> {
  return inActivity(() => createStepActivities(ports).runStep(step), options);
}
