package main

import (
	"slices"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"
)

// checkDevices refuses devices that name no datastore or network of this vCenter, or a disk without a size.
func (v *vcenter) checkDevices(changes []types.BaseVirtualDeviceConfigSpec) types.BaseMethodFault {
	for i, change := range changes {
		spec := change.GetVirtualDeviceConfigSpec()
		if spec.Operation == types.VirtualDeviceConfigSpecOperationRemove {
			continue
		}
		if fault := v.checkDevice(spec); fault != nil {
			return fault
		}
		virtual, ok := spec.Device.(*types.VirtualDisk)
		isNew := spec.FileOperation == types.VirtualDeviceConfigSpecFileOperationCreate
		if ok && isNew && virtual.CapacityInBytes <= 0 && virtual.CapacityInKB <= 0 {
			return &types.InvalidDeviceSpec{
				InvalidVmConfig: types.InvalidVmConfig{Property: "virtualDeviceSpec.device.capacityInKB"}, DeviceIndex: int32(i),
			}
		}
	}
	return nil
}

func (v *vcenter) checkDevice(spec *types.VirtualDeviceConfigSpec) types.BaseMethodFault {
	backing := spec.Device.GetVirtualDevice().Backing
	if virtual, isDisk := spec.Device.(*types.VirtualDisk); isDisk {
		file, ok := backing.(types.BaseVirtualDeviceFileBackingInfo)
		if !ok {
			return &types.InvalidDeviceBacking{}
		}
		info := file.GetVirtualDeviceFileBackingInfo()
		if info.FileName == "" && info.Datastore != nil {
			if store, ok := v.reg.Get(*info.Datastore).(*simulator.Datastore); ok {
				info.FileName = "[" + store.Name + "]"
			}
		}
		if info.FileName == "" {
			return nil // beside the machine's other files
		}
		if fault := v.checkPath(info.FileName); fault != nil {
			return fault
		}
		if spec.FileOperation == types.VirtualDeviceConfigSpecFileOperationCreate {
			return v.checkRoom(info.FileName, virtual)
		}
		if spec.Operation == types.VirtualDeviceConfigSpecOperationAdd {
			return v.checkFree(info.FileName)
		}
		return nil
	}
	network, ok := backing.(*types.VirtualEthernetCardNetworkBackingInfo)
	if !ok {
		return v.checkPortgroup(backing)
	}
	if network.DeviceName == "" && network.Network != nil {
		if object, ok := v.reg.Get(*network.Network).(*mo.Network); ok {
			network.DeviceName = object.Name
		}
	}
	if !slices.Contains(v.networkNames(), network.DeviceName) {
		return &types.InvalidDeviceBacking{InvalidDeviceSpec: types.InvalidDeviceSpec{
			InvalidVmConfig: types.InvalidVmConfig{Property: "virtualDeviceSpec.device.backing"},
		}}
	}
	return nil
}

func (v *vcenter) checkPortgroup(backing types.BaseVirtualDeviceBackingInfo) types.BaseMethodFault {
	port, ok := backing.(*types.VirtualEthernetCardDistributedVirtualPortBackingInfo)
	if !ok {
		return nil
	}
	ref := types.ManagedObjectReference{Type: "DistributedVirtualPortgroup", Value: port.Port.PortgroupKey}
	if v.reg.Get(ref) == nil {
		return &types.NotFound{}
	}
	return nil
}

// networkNames are those a card may name: standard networks and portgroups.
func (v *vcenter) networkNames() []string {
	var names []string
	for _, kind := range []string{"Network", "DistributedVirtualPortgroup"} {
		for _, object := range v.reg.All(kind) {
			switch network := object.(type) {
			case *mo.Network:
				names = append(names, network.Name)
			case *simulator.DistributedVirtualPortgroup:
				names = append(names, network.Name)
			}
		}
	}
	return names
}

func (v *vcenter) checkPath(file string) types.BaseMethodFault {
	name, _ := splitPath(file)
	if v.datastoreNamed(name) == nil {
		return &types.InvalidDatastorePath{InvalidDatastore: types.InvalidDatastore{Name: name}, DatastorePath: file}
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.inaccessible(file)
}

// checkFree: a disk file belongs to one machine.
func (v *vcenter) checkFree(file string) types.BaseMethodFault {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, d := range v.state.Disks {
		if d.Owner != "" && (d.File == file || d.Live == file) {
			return &types.FileLocked{FileFault: types.FileFault{File: file}}
		}
	}
	return nil
}

// checkRoom: a thick disk takes its size at once.
func (v *vcenter) checkRoom(file string, virtual *types.VirtualDisk) types.BaseMethodFault {
	flat, ok := virtual.Backing.(*types.VirtualDiskFlatVer2BackingInfo)
	if !ok || flat.ThinProvisioned != nil && *flat.ThinProvisioned {
		return nil
	}
	name, _ := splitPath(file)
	if v.freeBytes(name) < max(virtual.CapacityInBytes, virtual.CapacityInKB<<10) {
		return &types.NoDiskSpace{FileFault: types.FileFault{File: file}, Datastore: name}
	}
	return nil
}
