/** States of a protected item. */
export const itemStates = [
  'enablingProtection',
  /** The machine was refused or could not be prepared; nothing was left behind and it may be protected again. */
  'enablingFailed',
  'initialReplicating',
  'protected',
  'failingOver',
  'failoverFailed',
  /** Runs in Azure, waits for commit. */
  'failedOver',
  'changingRecoveryPoint',
  'rollingBack',
  'committing',
  /** Runs in Azure, nothing protects it. */
  'committed',
  'completingMigration',
  'reprotecting',
  /** Runs in Azure, replicates home. */
  'protectedReverse',
  'failingBack',
  /** Runs on premises again, waits for commit. */
  'failedBack',
  'cancellingFailback',
  'committingFailback',
  /** Runs on premises, nothing protects it. */
  'failedBackCommitted',
  'reEnabling',
  'disabling',
  /** Protection has ended; nothing of the item is left in the storage account and the machine may be protected again. */
  'disabled',
  /** Protection has ended in Azure: the machine stays there. */
  'migrated',
] as const;
export type ItemState = (typeof itemStates)[number];

export const overStates: readonly ItemState[] = ['enablingFailed', 'disabled', 'migrated'];

/** Nothing protects the machine: it may be protected under the same id. */
export function isProtectionOver(state: ItemState): boolean {
  return overStates.includes(state);
}

export const drillStates = ['none', 'starting', 'running', 'failed', 'cleaningUp', 'cleanupFailed'] as const;
export type DrillState = (typeof drillStates)[number];

export type ActiveLocation = 'onPremises' | 'azure';

/** Where the machine runs, or ran last, while an operation moves it. */
export const activeLocations: Readonly<Record<ItemState, ActiveLocation>> = {
  enablingProtection: 'onPremises',
  enablingFailed: 'onPremises',
  initialReplicating: 'onPremises',
  protected: 'onPremises',
  failingOver: 'onPremises',
  failoverFailed: 'onPremises',
  failedOver: 'azure',
  changingRecoveryPoint: 'azure',
  rollingBack: 'azure',
  committing: 'azure',
  committed: 'azure',
  completingMigration: 'azure',
  reprotecting: 'azure',
  protectedReverse: 'azure',
  failingBack: 'azure',
  failedBack: 'onPremises',
  cancellingFailback: 'onPremises',
  committingFailback: 'onPremises',
  failedBackCommitted: 'onPremises',
  reEnabling: 'onPremises',
  disabling: 'onPremises',
  disabled: 'onPremises',
  migrated: 'azure',
};

/** Why an operation that the state does not know is refused. */
export const stateReasons: Readonly<Record<ItemState, string>> = {
  enablingProtection: 'protection is being enabled',
  enablingFailed: 'protection could not be enabled; protect the machine again',
  initialReplicating: 'initial replication has not finished',
  protected: 'the machine runs on premises and is protected',
  failingOver: 'a failover has begun and not ended; run failover again',
  failoverFailed: 'the last failover did not finish; run failover again, or roll back',
  failedOver: 'the machine has failed over and waits for commit',
  changingRecoveryPoint: 'the Azure machine is being made anew from another point',
  rollingBack: 'the failover is being rolled back',
  committing: 'the failover is being committed',
  committed: 'the failover is committed; reprotect the machine to bring it home',
  completingMigration: 'the migration to Azure is being completed',
  reprotecting: 'the machine is being reprotected',
  protectedReverse: 'the machine runs in Azure and replicates to the site',
  failingBack: 'a failback has begun and not ended; run failback again, or cancel it',
  failedBack: 'the machine has failed back and waits for commit',
  cancellingFailback: 'the failback is being cancelled',
  committingFailback: 'the failback is being committed',
  failedBackCommitted: 'the failback is committed; re-enable replication to protect the machine',
  reEnabling: 'replication to Azure is being re-enabled',
  disabling: 'protection is being ended',
  disabled: 'protection has ended; protect the machine again',
  migrated: 'the machine has moved to Azure for good',
};
