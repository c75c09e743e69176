/** What each operation takes, as plain data: for API, CLI and console. The API's schemas are tested against it. */
import type { ItemOperation } from './item-operations.ts';

export interface InputField {
  readonly name: string;
  readonly kind:
    | 'recoveryPoint'
    | 'subnet'
    | 'text'
    | 'flag'
    | 'deviceKeys'
    | 'policy'
    | 'target'
    | 'place'
    | 'priority';
  readonly required: boolean;
  readonly means: string;
  readonly example: unknown;
}

const choice = (means: string): InputField => ({
  name: 'choice',
  kind: 'recoveryPoint',
  required: true,
  means,
  example: { kind: 'latest' },
});

const deviceKeys: InputField = {
  name: 'deviceKeys',
  kind: 'deviceKeys',
  required: true,
  means: 'Device keys of the disks in vCenter',
  example: [2001],
};

export const operationInputs: Readonly<Record<ItemOperation, readonly InputField[]>> = {
  testFailover: [
    choice('Recovery point to rehearse from'),
    {
      name: 'subnetId',
      kind: 'subnet',
      required: true,
      means: 'Subnet of a network that reaches nothing',
      example: '/subscriptions/…/virtualNetworks/isolated/subnets/drill',
    },
  ],
  cleanupTestFailover: [
    {
      name: 'notes',
      kind: 'text',
      required: false,
      means: 'What the rehearsal showed',
      example: 'app answers',
    },
  ],
  failover: [
    choice('Recovery point to start from'),
    {
      name: 'shutdownSource',
      kind: 'flag',
      required: true,
      means: 'Shut the machine on premises down first, as far as the site answers',
      example: true,
    },
  ],
  changeRecoveryPoint: [choice('Recovery point to start from instead')],
  rollback: [],
  commit: [],
  completeMigration: [],
  reprotect: [
    {
      name: 'place',
      kind: 'place',
      required: false,
      means: 'Datastore and network of a new machine; absent: to where it was',
      example: { datastore: 'datastore1', network: 'VM Network' },
    },
  ],
  failback: [],
  cancelFailback: [],
  reEnable: [],
  pause: [],
  resume: [],
  resync: [],
  verify: [choice('Recovery point to compare with')],
  updateSettings: [
    { name: 'policy', kind: 'policy', required: false, means: 'Name of another policy', example: 'gold' },
    {
      name: 'target',
      kind: 'target',
      required: false,
      means: 'Target settings to change; null takes an optional one away',
      example: { vmSize: 'Standard_D4s_v5' },
    },
    {
      name: 'priority',
      kind: 'priority',
      required: false,
      means: 'Share of the site’s line: high, normal or low, 4 to 2 to 1',
      example: 'high',
    },
  ],
  addDisks: [deviceKeys],
  excludeDisks: [deviceKeys],
  disable: [],
  purge: [],
};
