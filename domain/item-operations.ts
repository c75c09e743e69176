/** What can be done with a protected item; one word each, in code, API, CLI, screen and docs. */
export const itemOperations = [
  'testFailover',
  'cleanupTestFailover',
  'failover',
  'changeRecoveryPoint',
  'rollback',
  'commit',
  'completeMigration',
  'reprotect',
  'failback',
  'cancelFailback',
  'reEnable',
  'pause',
  'resume',
  'resync',
  'updateSettings',
  'addDisks',
  'excludeDisks',
  'disable',
  'purge',
] as const;
export type ItemOperation = (typeof itemOperations)[number];

export function isItemOperation(text: string): text is ItemOperation {
  return (itemOperations as readonly string[]).includes(text);
}

/** One line each, for lists and help. */
export const operationSummaries: Readonly<Record<ItemOperation, string>> = {
  testFailover: 'Rehearse: start the machine from a recovery point in an isolated network',
  cleanupTestFailover: 'Remove everything the rehearsal made, and prove it',
  failover: 'Start the machine in Azure from a recovery point',
  changeRecoveryPoint: 'Before commit: make the Azure machine anew from another recovery point',
  rollback: 'Before commit: remove the Azure machine, run on premises again, go on replicating',
  commit: 'Make a failover or a failback final',
  completeMigration: 'Stay in Azure for good: end protection, keep the Azure machine',
  reprotect: 'Replicate the Azure machine back to the site',
  failback: 'Bring the machine home: stop it in Azure, start it on premises',
  cancelFailback: 'Before commit: run in Azure again, go on replicating home',
  reEnable: 'Replicate to Azure again after a failback, by comparing',
  pause: 'Stop replicating until resumed',
  resume: 'Go on replicating after a pause',
  resync: 'Compare source and replica and copy what differs',
  updateSettings: 'Change policy and target settings',
  addDisks: 'Protect more disks of the machine',
  excludeDisks: 'Stop protecting disks; their recovery points stay until retention ends them',
  disable: 'End protection: replicas, recovery points, journal and data key are deleted',
  purge: 'End a protection that could not be ended: delete what is left without asking the site',
};
