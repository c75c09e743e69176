/** Every runbook by its workflow type: docs/runbooks.md and the tests of all their steps are made from this list. */
import { cancelFailbackBook } from './cancel-failback.ts';
import { addDisksBook, excludeDisksBook } from './change-disks.ts';
import { cleanupBook } from './cleanup.ts';
import { commitFailbackBook } from './commit-failback.ts';
import { commitBook } from './commit.ts';
import { completeMigrationBook } from './complete-migration.ts';
import type { Run } from './contracts/runs.ts';
import { disableBook } from './disable.ts';
import { failbackBook } from './failback.ts';
import { failoverBook } from './failover.ts';
import type { Runbook } from './lib/runbook.ts';
import { pauseBook, resumeBook } from './pause.ts';
import { reEnableBook } from './re-enable.ts';
import { reprotectBook } from './reprotect.ts';
import { resyncBook } from './resync.ts';
import { rollbackBook } from './rollback.ts';
import { updateSettingsBook } from './update-settings.ts';
import { verifyBook } from './verify.ts';

/** To be read, not to be played: what a step takes is its own. */
export type AnyRunbook = Runbook<Run, object>;

export const runbooks: Readonly<Record<string, AnyRunbook>> = {
  failover: any(failoverBook),
  cleanup: any(cleanupBook),
  rollback: any(rollbackBook),
  commit: any(commitBook),
  completeMigration: any(completeMigrationBook),
  reprotect: any(reprotectBook),
  failback: any(failbackBook),
  cancelFailback: any(cancelFailbackBook),
  commitFailback: any(commitFailbackBook),
  reEnable: any(reEnableBook),
  resync: any(resyncBook),
  verify: any(verifyBook),
  updateSettings: any(updateSettingsBook),
  addDisks: any(addDisksBook),
  excludeDisks: any(excludeDisksBook),
  pause: any(pauseBook),
  resume: any(resumeBook),
  disable: any(disableBook),
};

function any<I extends Run, F>(book: Runbook<I, F>): AnyRunbook {
  return book as unknown as AnyRunbook;
}
