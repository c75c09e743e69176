/** Operations on protected items. */
import { entry, type ErrorEntry } from './entry.ts';

export const itemErrors = {
  DR_ITEM_UNKNOWN: entry(
    'fail',
    404,
    3,
    'There is no protected item "{item}"',
    'List them with `switchback item list`.',
  ),
  DR_OPERATION_REFUSED: entry(
    'fail',
    409,
    4,
    '{operation} is not possible for "{item}": {reason}',
    'Look at the allowed operations with `switchback item show {item}`.',
  ),
  DR_OPERATION_BUSY: entry(
    'fail',
    409,
    4,
    '{operation} is not possible for "{item}": {running} is running',
    'Wait for job {job} to end: `switchback job watch {job}`.',
  ),
  DR_COMMIT_BEFORE_FAILOVER: entry(
    'fail',
    409,
    4,
    '"{item}" has no failover to commit: its state is {state}',
    'Run `switchback item failover {item}` first.',
  ),
  DR_POINT_UNKNOWN: entry(
    'fail',
    404,
    3,
    '"{item}" has no recovery point {point}',
    'List its points with `switchback item points {item}`.',
  ),
  DR_POINT_NONE: entry(
    'fail',
    409,
    4,
    '"{item}" has no recovery point for the choice {choice}',
    'Wait for replication to make one, or choose another kind of point.',
  ),
  DR_POINT_INCOMPLETE: entry(
    'pause',
    409,
    7,
    'Recovery point {point} of "{item}" does not hold these disks: {disks}',
    'Wait for a point made after they joined, or skip the step: the machine then starts without them.',
  ),
  DR_JOB_UNKNOWN: entry('fail', 404, 3, 'There is no job "{job}"', 'List jobs with `switchback job list`.'),
  DR_FINAL_DELTA_MISSING: entry(
    'pause',
    409,
    6,
    'The last changes of "{machine}" could not be replicated although its source was shut down: {reason}',
    'They are safe on the source disks. Fail over again once the site answers, or go without them: `switchback item failover {machine} --point latest-processed`.',
  ),
  DR_PREFLIGHT_FAILED: entry(
    'fail',
    409,
    4,
    '{count} checks before the operation failed: {problems}',
    'Correct each of them; nothing was changed and replication goes on.',
  ),
  DR_SOURCE_STATE_UNKNOWN: entry(
    'pause',
    409,
    6,
    'The power state of source "{machine}" is not known: {reason}',
    'Make sure by other means that the source is off before the Azure machine takes over its address.',
  ),

  DR_CLOCK_SKEW: entry(
    'fail',
    409,
    4,
    'The clocks of vCenter, process server and recovery site differ: {reason}',
    'Set them by the same time source (NTP): recovery points are told apart by their time.',
  ),
} as const satisfies Record<string, ErrorEntry>;
