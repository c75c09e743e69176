package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path"
	"strings"

	"github.com/google/uuid"
	"github.com/vmware/govmomi/find"
	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25"
	"github.com/vmware/govmomi/vim25/types"
)

const datastoreCapacityBytes = 256 << 40

type inventoryMachine struct {
	Name      string          `json:"name"`
	Folder    string          `json:"folder"`
	GuestID   string          `json:"guestId"`
	Firmware  string          `json:"firmware"`
	CPUs      int32           `json:"cpus"`
	MemoryMiB int64           `json:"memoryMiB"`
	PoweredOn bool            `json:"poweredOn"`
	Disks     []inventoryDisk `json:"disks"`
	Snapshots []string        `json:"snapshots"`
}

type inventoryDisk struct {
	MiB        int64  `json:"mib"`
	Mode       string `json:"mode"`
	Backing    string `json:"backing"`
	Shared     bool   `json:"shared"`
	Filesystem string `json:"filesystem"`
	Seed       uint64 `json:"seed"`
}

func defaultInventory() []inventoryMachine {
	ext4 := func(mib int64, seed uint64) inventoryDisk {
		return inventoryDisk{MiB: mib, Filesystem: "ext4", Seed: seed}
	}
	return []inventoryMachine{
		{Name: "web-01", Folder: "production", CPUs: 2, MemoryMiB: 2048, PoweredOn: true, Disks: []inventoryDisk{ext4(256, 1)}},
		{Name: "app-01", Folder: "production", CPUs: 2, MemoryMiB: 4096, PoweredOn: true, Firmware: "efi", Disks: []inventoryDisk{ext4(256, 2)}},
		{Name: "db-01", Folder: "production", CPUs: 4, MemoryMiB: 8192, PoweredOn: true, Disks: []inventoryDisk{ext4(512, 3), {MiB: 128}}},
		{Name: "archive-01", CPUs: 1, MemoryMiB: 1024, Disks: []inventoryDisk{ext4(128, 4)}},
	}
}

func readInventory(file string) ([]inventoryMachine, error) {
	list := defaultInventory()
	if file != "" {
		raw, err := os.Open(file)
		if err != nil {
			return nil, err
		}
		defer raw.Close()
		list = nil
		decoder := json.NewDecoder(raw)
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(&list); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
	}
	names := map[string]bool{}
	for i := range list {
		m := &list[i]
		if names[m.Name] {
			return nil, fmt.Errorf("two machines are named %q", m.Name)
		}
		names[m.Name] = true
		if err := m.complete(); err != nil {
			return nil, fmt.Errorf("machine %q: %w", m.Name, err)
		}
	}
	return list, nil
}

// complete fills in what was left out and refuses what cannot be.
func (m *inventoryMachine) complete() error {
	def := func(value *string, fallback string) {
		if *value == "" {
			*value = fallback
		}
	}
	def(&m.GuestID, string(types.VirtualMachineGuestOsIdentifierDebian12_64Guest))
	def(&m.Firmware, "bios")
	m.CPUs, m.MemoryMiB = max(m.CPUs, 1), max(m.MemoryMiB, 256)
	if m.Name == "" || strings.ContainsAny(m.Name, "/[]") {
		return errors.New("a name without /, [ and ] is needed")
	}
	if m.Firmware != "bios" && m.Firmware != "efi" {
		return fmt.Errorf("firmware %q", m.Firmware)
	}
	for i := range m.Disks {
		d := &m.Disks[i]
		def(&d.Mode, "persistent")
		def(&d.Backing, "flat")
		switch {
		case d.MiB < 1:
			return fmt.Errorf("disk %d has no size", i)
		case d.Filesystem != "" && d.Filesystem != "ext4":
			return fmt.Errorf("disk %d: filesystem %q", i, d.Filesystem)
		case d.Filesystem == "ext4" && (d.MiB < 16 || d.MiB > maxFilesystemMiB):
			return fmt.Errorf("disk %d: ext4 needs 16 MiB to %d MiB", i, maxFilesystemMiB)
		case d.Backing != "flat" && d.Backing != "rdmPhysical" && d.Backing != "rdmVirtual":
			return fmt.Errorf("disk %d: backing %q", i, d.Backing)
		}
	}
	return nil
}

// place is where new machines go.
type place struct {
	finder  *find.Finder
	folders *object.DatacenterFolders
	pool    *object.ResourcePool
}

// populate makes the machines, fills new disks, and brings back what the state directory remembers.
func (v *vcenter) populate(ctx context.Context, list []inventoryMachine) error {
	client, err := vim25.NewClient(ctx, v.service)
	if err != nil {
		return err
	}
	v.client = client
	p := place{finder: find.NewFinder(client)}
	datacenter, err := p.finder.DefaultDatacenter(ctx)
	if err != nil {
		return err
	}
	p.finder.SetDatacenter(datacenter)
	if p.folders, err = datacenter.Folders(ctx); err != nil {
		return err
	}
	pools, err := p.finder.ResourcePoolList(ctx, "*/Resources")
	if err != nil {
		return err
	}
	p.pool = pools[0]
	for _, store := range v.reg.All("Datastore") {
		store.(*simulator.Datastore).Summary.Capacity = datastoreCapacityBytes
		store.(*simulator.Datastore).Summary.FreeSpace = datastoreCapacityBytes
	}
	v.populating = true
	defer func() { v.populating = false }()
	for _, wanted := range list {
		if err := v.createMachine(ctx, p, wanted); err != nil {
			return fmt.Errorf("machine %s: %w", wanted.Name, err)
		}
	}
	return nil
}

func (v *vcenter) createMachine(ctx context.Context, p place, wanted inventoryMachine) error {
	folder, err := p.folder(ctx, wanted.Folder)
	if err != nil {
		return err
	}
	saved := v.state.Machines[wanted.Name] // nil: seen for the first time
	spec, err := v.machineSpec(wanted, saved)
	if err != nil {
		return err
	}
	task, err := folder.CreateVM(ctx, spec, p.pool, nil)
	if err != nil {
		return err
	}
	made, err := task.WaitForResult(ctx, nil)
	if err != nil {
		return err
	}
	vm := object.NewVirtualMachine(p.pool.Client(), made.Result.(types.ManagedObjectReference))
	m := v.machine(vm.Reference())
	if err := v.fillDisks(m, wanted.Disks); err != nil {
		return err
	}
	if err := makeSnapshots(ctx, vm, m, wanted, saved == nil); err != nil {
		return err
	}
	if saved == nil && wanted.PoweredOn || saved != nil && saved.PoweredOn {
		v.restoring = saved != nil
		v.setPower(m, true)
		v.restoring = false
	}
	return nil
}

func (p place) folder(ctx context.Context, name string) (*object.Folder, error) {
	at, full := p.folders.VmFolder, p.folders.VmFolder.InventoryPath
	for _, part := range strings.FieldsFunc(name, func(r rune) bool { return r == '/' }) {
		full = path.Join(full, part)
		found, err := p.finder.Folder(ctx, full)
		if err != nil {
			found, err = at.CreateFolder(ctx, part)
		}
		if err != nil {
			return nil, err
		}
		at = found
	}
	return at, nil
}

func (v *vcenter) machineSpec(wanted inventoryMachine, saved *machineState) (types.VirtualMachineConfigSpec, error) {
	home := uuid.MustParse(v.state.InstanceUUID)
	spec := types.VirtualMachineConfigSpec{
		Name: wanted.Name, GuestId: wanted.GuestID, Firmware: wanted.Firmware,
		NumCPUs: wanted.CPUs, MemoryMB: wanted.MemoryMiB, Version: "vmx-20",
		Uuid:         uuid.NewSHA1(home, []byte("bios:"+wanted.Name)).String(),
		InstanceUuid: uuid.NewSHA1(home, []byte("instance:"+wanted.Name)).String(),
		Files:        &types.VirtualMachineFileInfo{VmPathName: "[LocalDS_0]"},
	}
	if saved != nil {
		spec.ChangeTrackingEnabled = types.NewBool(saved.ChangeTracking)
	}
	var devices object.VirtualDeviceList
	controller, err := devices.CreateSCSIController("pvscsi")
	if err != nil {
		return spec, err
	}
	card, err := devices.CreateEthernetCard("vmxnet3", &types.VirtualEthernetCardNetworkBackingInfo{
		VirtualDeviceDeviceBackingInfo: types.VirtualDeviceDeviceBackingInfo{DeviceName: "VM Network"},
	})
	if err != nil {
		return spec, err
	}
	devices = append(devices, controller)
	for i, d := range wanted.Disks {
		name := wanted.Name
		if i > 0 {
			name = fmt.Sprintf("%s_%d", name, i)
		}
		virtual := devices.CreateDisk(controller.(types.BaseVirtualController), types.ManagedObjectReference{},
			fmt.Sprintf("[LocalDS_0] %s/%s.vmdk", wanted.Name, name))
		virtual.CapacityInBytes = d.MiB << 20
		virtual.CapacityInKB = d.MiB << 10
		virtual.Backing = d.backing(virtual.Backing.(*types.VirtualDiskFlatVer2BackingInfo))
		devices = append(devices, virtual)
	}
	spec.DeviceChange, err = append(devices, card).ConfigSpec(types.VirtualDeviceConfigSpecOperationAdd)
	return spec, err
}

func (d inventoryDisk) backing(flat *types.VirtualDiskFlatVer2BackingInfo) types.BaseVirtualDeviceBackingInfo {
	modes := map[string]types.VirtualDiskCompatibilityMode{
		"rdmPhysical": types.VirtualDiskCompatibilityModePhysicalMode,
		"rdmVirtual":  types.VirtualDiskCompatibilityModeVirtualMode,
	}
	if mode, raw := modes[d.Backing]; raw {
		return &types.VirtualDiskRawDiskMappingVer1BackingInfo{
			VirtualDeviceFileBackingInfo: flat.VirtualDeviceFileBackingInfo, CompatibilityMode: string(mode),
			DiskMode: d.Mode, DeviceName: "vml.practice", LunUuid: uuid.NewString(), Uuid: uuid.NewString(),
		}
	}
	flat.DiskMode = d.Mode
	if d.Shared {
		flat.Sharing = string(types.VirtualDiskSharingSharingMultiWriter)
	}
	return flat
}

func makeSnapshots(ctx context.Context, vm *object.VirtualMachine, m *machine, wanted inventoryMachine, first bool) error {
	names := wanted.Snapshots
	if !first {
		names = nil
		for _, s := range m.present() {
			names = append(names, s.Name)
		}
	}
	for _, name := range names {
		task, err := vm.CreateSnapshot(ctx, name, "", false, false)
		if err == nil {
			err = task.Wait(ctx)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
