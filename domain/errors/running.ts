/** Decisions about running jobs, and evidence. */
import { entry, type ErrorEntry } from './entry.ts';

export const runningErrors = {
  DR_JOB_OVER: entry(
    'fail',
    409,
    4,
    'Job "{job}" is over: it {state}',
    'Start the operation again if need be.',
  ),
  DR_RUN_DISPLACED: entry(
    'fail',
    409,
    4,
    'Job "{job}" gave way to something more urgent',
    'What it left is found again: clean up a test failover, or start the operation again.',
  ),
  DR_DECISION_REFUSED: entry(
    'fail',
    409,
    4,
    '{decision} is not possible for job "{job}" now: {reason}',
    'The decisions that are possible, and what each means: `switchback job show {job}`.',
  ),
  DR_SETTINGS_CONFLICT: entry(
    'fail',
    400,
    2,
    'The settings contradict each other: {reason}',
    'Correct the one that is meant; nothing was changed.',
  ),
  DR_DISK_UNKNOWN: entry(
    'fail',
    404,
    3,
    '"{machine}" has no disk {disk}',
    'Disks and their device keys are shown by `switchback machine list --output json`.',
  ),

  DR_EVIDENCE_UNKNOWN: entry(
    'fail',
    404,
    3,
    'Job "{job}" has no evidence',
    'Runs of recovery plans have some once they have ended: `switchback job show {job}`.',
  ),
  DR_EVIDENCE_ALTERED: entry(
    'fail',
    409,
    7,
    '{file} is not what was signed: {place}: {reason}',
    'Believe nothing of it. Fetch the bundle again with `switchback evidence get`, or from the storage account (evidence/<plan>/<run>.html), and find out who had it.',
  ),
  DR_EVIDENCE_KEY: entry(
    'fail',
    409,
    5,
    '{file} is whole, but key {keyId} signed it, and that is none of the trusted keys',
    'An older bundle needs the key of its time: give each with --key. If nobody vouches for that key, do not believe the bundle.',
  ),
  DR_EVIDENCE_REFUSED: entry(
    'fail',
    409,
    7,
    'The evidence of run {run} cannot be written: {reason}',
    'The run itself is not affected, its job says how it ended. Report this with the log of the configuration server.',
  ),
} as const satisfies Record<string, ErrorEntry>;
