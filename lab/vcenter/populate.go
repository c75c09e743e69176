package main

import (
	"context"
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

// firstReference leaves numbers for hosts, datastores and networks, so that more of them do not move the machines.
const firstReference = 1000

// place is where new machines go.
type place struct {
	finder  *find.Finder
	folders *object.DatacenterFolders
	pool    *object.ResourcePool
}

// populate brings back what the state directory remembers, and makes the machines of the inventory that were never made.
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
	if err := v.makeDatastores(ctx, p, list); err != nil {
		return err
	}
	v.alignReferences(firstReference)
	if err := v.restore(ctx, p); err != nil {
		return err
	}
	v.populating = true
	defer func() { v.populating = false }()
	for _, wanted := range list {
		if v.state.Seeded[wanted.Name] {
			continue
		}
		if err := v.createMachine(ctx, p, wanted); err != nil {
			return fmt.Errorf("machine %s: %w", wanted.Name, err)
		}
		v.state.Seeded[wanted.Name] = true
	}
	v.showReach()
	v.refreshSpace(&simulator.Context{Map: v.reg})
	return nil
}

func (v *vcenter) createMachine(ctx context.Context, p place, wanted inventoryMachine) error {
	folder, err := p.folder(ctx, wanted.Folder)
	if err != nil {
		return err
	}
	if err := v.clearHome(wanted); err != nil {
		return err
	}
	for _, d := range wanted.Disks {
		if d.Datastore != wanted.Datastore {
			if err := os.MkdirAll(v.path(fmt.Sprintf("[%s] %s", d.Datastore, wanted.Name)), 0o700); err != nil {
				return err
			}
		}
	}
	spec, err := v.machineSpec(wanted)
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
	if err := fillDisks(m.name, m.disks, wanted.Disks); err != nil {
		return err
	}
	for _, name := range wanted.Snapshots {
		task, err := vm.CreateSnapshot(ctx, name, "", false, false)
		if err == nil {
			err = task.Wait(ctx)
		}
		if err != nil {
			return err
		}
	}
	if wanted.PoweredOn {
		v.setPower(m, true)
	}
	simulated := v.reg.Get(m.ref).(*simulator.VirtualMachine)
	v.reg.WithLock(&simulator.Context{Map: v.reg}, simulated, func() {
		v.mu.Lock()
		defer v.mu.Unlock()
		m.Tags = wanted.Tags
		v.writeDown(m, &simulated.VirtualMachine)
	})
	return nil
}

// clearHome removes what a process that was killed while making the machine has left.
func (v *vcenter) clearHome(wanted inventoryMachine) error {
	home := fmt.Sprintf("[%s] %s", wanted.Datastore, wanted.Name)
	for file := range v.state.Disks {
		if strings.HasPrefix(file, home+"/") {
			return nil
		}
	}
	return os.RemoveAll(v.path(home))
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

func (v *vcenter) machineSpec(wanted inventoryMachine) (types.VirtualMachineConfigSpec, error) {
	home := uuid.MustParse(v.state.InstanceUUID)
	spec := types.VirtualMachineConfigSpec{
		Name: wanted.Name, GuestId: wanted.GuestID, Firmware: wanted.Firmware,
		NumCPUs: wanted.CPUs, MemoryMB: wanted.MemoryMiB, Version: "vmx-20",
		Uuid:         uuid.NewSHA1(home, []byte("bios:"+wanted.Name)).String(),
		InstanceUuid: uuid.NewSHA1(home, []byte("instance:"+wanted.Name)).String(),
		Files:        &types.VirtualMachineFileInfo{VmPathName: "[" + wanted.Datastore + "]"},
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
			fmt.Sprintf("[%s] %s/%s.vmdk", d.Datastore, wanted.Name, name))
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
