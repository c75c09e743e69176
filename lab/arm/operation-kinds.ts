import type { OperationKind } from './lro.ts';
import { accessGrant, accessRevoke } from './resources/access.ts';
import { resourceDelete } from './resources/deletion.ts';
import { diskCreate, resourceSettle } from './resources/disks.ts';
import { groupDelete } from './resources/groups.ts';
import { runCommandStart } from './resources/run-commands.ts';
import { vmPower } from './resources/vm-power.ts';
import { vmCreate } from './resources/vms.ts';

/** Names are written into the state log: an operation begun by one process is ended by the next. */
export const operationKinds: Readonly<Record<string, OperationKind>> = {
  'access.grant': accessGrant,
  'access.revoke': accessRevoke,
  'disk.create': diskCreate,
  'group.delete': groupDelete,
  'resource.delete': resourceDelete,
  'resource.settle': resourceSettle,
  'runCommand.start': runCommandStart,
  'vm.create': vmCreate,
  'vm.deallocate': vmPower,
  'vm.powerOff': vmPower,
  'vm.restart': vmPower,
  'vm.start': vmPower,
};
