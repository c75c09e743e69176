/** How operations and decisions are called on the command line. */
import type { ItemOperation } from '../domain/item-operations.ts';
import type { JobDecision } from '../domain/job.ts';
import { kebab } from './render/text.ts';

const shorter: Readonly<Partial<Record<ItemOperation, string>>> = {
  cleanupTestFailover: 'cleanup',
  changeRecoveryPoint: 'change-point',
  updateSettings: 'update',
  addDisks: 'add-disk',
  excludeDisks: 'exclude-disk',
};

/** `switchback item <verb>`. */
export function itemVerbName(operation: ItemOperation): string {
  return shorter[operation] ?? kebab(operation);
}

/** Ways to cancel a job. */
export const cancelModes = {
  finish: 'finish',
  'roll-back': 'rollBack',
  hold: 'hold',
} as const satisfies Readonly<Record<string, JobDecision>>;
export type CancelMode = keyof typeof cancelModes;

const decisionCommands: Readonly<Record<JobDecision, (job: string) => string>> = {
  finish: (job) => `switchback job resume ${job}`,
  rollBack: (job) => `switchback job cancel ${job} --mode roll-back`,
  hold: (job) => `switchback job cancel ${job} --mode hold`,
  retry: (job) => `switchback job retry ${job}`,
  skip: (job) => `switchback job skip ${job} --reason "…"`,
  abandon: (job) => `switchback job abandon ${job}`,
  approve: (job) => `switchback job approve ${job}`,
  reject: (job) => `switchback job reject ${job} --reason "…"`,
  keep: (job) => `switchback job keep ${job}`,
};

/** What to type for a decision. */
export function decisionCommand(decision: JobDecision, job: string, taskId?: string): string {
  const command = decisionCommands[decision](job);
  return taskId === undefined ? command : `${command} --task ${taskId}`;
}
