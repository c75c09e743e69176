/** Machines of the practice vCenter, as its `--inventory` file lists them. */
export interface InventoryMachine {
  readonly name: string;
  readonly folder?: string;
  /** Default: `LocalDS_0`; any other name makes that datastore. */
  readonly datastore?: string;
  readonly guestId?: string;
  readonly firmware?: 'bios' | 'efi';
  readonly cpus?: number;
  readonly memoryMiB?: number;
  readonly poweredOn: boolean;
  readonly disks: readonly InventoryDisk[];
  /** Names of snapshots that somebody else made. */
  readonly snapshots?: readonly string[];
  /** `category/tag` */
  readonly tags?: readonly string[];
}

export interface InventoryDisk {
  readonly mib: number;
  /** With a real file system and real files; absent: all zeros. */
  readonly filesystem?: 'ext4';
  /** Seeds the content of the files. */
  readonly seed?: number;
  readonly mode?: 'persistent' | 'independent_persistent' | 'independent_nonpersistent';
  readonly backing?: 'flat' | 'rdmPhysical' | 'rdmVirtual';
  /** Default: the machine's. */
  readonly datastore?: string;
}

/** A small site; `shop-01` has the two disks that the demo protects. */
export function practiceInventory(seed: number): readonly InventoryMachine[] {
  const ext4 = (mib: number, more: number): InventoryDisk => ({ mib, filesystem: 'ext4', seed: seed + more });
  return [
    {
      name: 'shop-01',
      folder: 'production',
      cpus: 2,
      memoryMiB: 4096,
      poweredOn: true,
      disks: [ext4(1024, 1), ext4(256, 2)],
    },
    {
      name: 'mail-01',
      folder: 'production',
      firmware: 'efi',
      cpus: 2,
      memoryMiB: 2048,
      poweredOn: true,
      disks: [ext4(64, 3)],
    },
    { name: 'archive-01', cpus: 1, memoryMiB: 1024, poweredOn: false, disks: [ext4(64, 4)] },
  ];
}
