/**
 * What the vCenter account must be allowed to do, by purpose. Preflight compares with what it holds;
 * docs/vcenter-role.md is generated from here. Ids are vSphere's own.
 */

/**
 * Where the account is seen to hold the privilege: at the vCenter's root folder, or on a machine, which inherits
 * the whole role from the datacenter or folder the role is assigned on, privileges on other kinds of objects too.
 */
export type PrivilegeScope = 'machine' | 'root';

export interface Privilege {
  readonly id: string;
  readonly scope: PrivilegeScope;
  /** Objects on which an administrator grants it. */
  readonly grantedOn: string;
  readonly purpose: string;
}

const on =
  (scope: PrivilegeScope, grantedOn: string) =>
  (id: string, purpose: string): Privilege => ({ id, scope, grantedOn, purpose });

const machine = on('machine', 'machines');
const vcenter = on('root', 'vCenter root');
const folder = on('machine', 'target folder');
const pool = on('machine', 'target cluster or resource pool');
const datastore = on('machine', 'datastores');
const network = on('machine', 'networks');

const writing: readonly Privilege[] = [
  machine('VirtualMachine.Provisioning.DiskRandomAccess', 'writes disks through VDDK'),
  machine('VirtualMachine.Provisioning.PutVmFiles', 'opens disks for writing through VDDK'),
];

const starting: readonly Privilege[] = [
  machine('VirtualMachine.Interact.PowerOn', 'starts the machine that came home'),
  machine('VirtualMachine.Interact.AnswerQuestion', 'answers whether it was moved or copied'),
  machine('VirtualMachine.Config.EditDevice', 'connects network adapters to the mapped networks'),
  machine('VirtualMachine.Interact.DeviceConnection', 'connects them at power-on'),
  machine('VirtualMachine.Config.Annotation', 'marks the machine while it must stay off'),
  machine(
    'VirtualMachine.State.RevertToSnapshot',
    'goes back to the safety snapshot when a failback is cancelled',
  ),
  network('Network.Assign', 'connects network adapters'),
];

/** Each purpose names only what it needs beyond `replicate`, which every site needs. */
export const privileges = {
  replicate: [
    machine('System.Anonymous', 'part of every role'),
    machine('System.View', 'part of every role'),
    machine('System.Read', 'discovery; part of every role'),
    machine('VirtualMachine.Config.ChangeTracking', 'turns changed-block tracking on'),
    machine('VirtualMachine.Config.DiskLease', 'lets VDDK hold a disk while it is open'),
    machine('VirtualMachine.State.CreateSnapshot', 'one short-lived snapshot per replication cycle'),
    machine(
      'VirtualMachine.State.RemoveSnapshot',
      'removes it again; only names that begin with `switchback-`',
    ),
    machine('VirtualMachine.Provisioning.DiskRandomRead', 'asks for changed areas and reads disks'),
    machine('VirtualMachine.Provisioning.GetVmFiles', 'opens disks through VDDK'),
    machine('VirtualMachine.Interact.PowerOff', 'shuts the source down in a failover'),
    datastore('Datastore.Browse', 'finds the files of disks'),
    vcenter('Global.DisableMethods', 'VDDK prepares a machine; without it VDDK says "host is not licensed"'),
    vcenter('Global.EnableMethods', 'VDDK ends that preparation'),
    vcenter('Sessions.ValidateSession', 'VDDK uses the session'),
  ],
  failbackOriginal: [...writing, ...starting],
  failbackNewMachine: [
    ...writing,
    ...starting,
    folder('VirtualMachine.Inventory.Create', 'makes the machine'),
    folder(
      'VirtualMachine.Inventory.Delete',
      'deletes it when the failback is cancelled; only machines it made',
    ),
    folder('VirtualMachine.Config.AddNewDisk', 'gives it disks'),
    folder('VirtualMachine.Config.AddRemoveDevice', 'gives it controllers and network adapters'),
    folder('VirtualMachine.Config.AdvancedConfig', 'keeps the key by which it is found again'),
    folder('VirtualMachine.Config.CPUCount', 'gives it processors'),
    folder('VirtualMachine.Config.Memory', 'gives it memory'),
    folder('VirtualMachine.Config.Settings', 'sets guest, firmware and notes'),
    pool('Resource.AssignVMToPool', 'gives it a place to run'),
    datastore('Datastore.AllocateSpace', 'puts its disks on a datastore'),
  ],
} as const satisfies Readonly<Record<string, readonly Privilege[]>>;

export type PrivilegePurpose = keyof typeof privileges;

/** Ids for `VCenterSession.missingPrivileges`: those to ask for on the machine, or on the root folder. */
export function privilegeIds(purpose: PrivilegePurpose, scope: PrivilegeScope): readonly string[] {
  return privileges[purpose].filter((privilege) => privilege.scope === scope).map(({ id }) => id);
}
