package main

import (
	"slices"

	"github.com/google/uuid"
	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/types"
)

// prepareCreate refuses what would make the simulator panic, and gives the machine ids of its own.
func prepareCreate(v *vcenter, s *steering) types.BaseMethodFault {
	request := s.body.(*types.CreateVM_Task)
	spec := &request.Config
	if spec.Files != nil && spec.Files.VmPathName != "" {
		if fault := v.checkPath(spec.Files.VmPathName); fault != nil && !v.restoring {
			return fault
		}
	}
	if _, ok := v.reg.Get(request.Pool).(*simulator.ResourcePool); !ok {
		return &types.ManagedObjectNotFound{Obj: request.Pool}
	}
	if fault := v.placeOnHost(request); fault != nil {
		return fault
	}
	if other := v.nameTaken(request.This, spec.Name); other != nil {
		return &types.DuplicateName{Name: spec.Name, Object: *other}
	}
	if spec.Uuid == "" {
		spec.Uuid = uuid.NewString()
	}
	if spec.InstanceUuid == "" || v.hasInstance(spec.InstanceUuid) { // vCenter changes one that it knows already
		spec.InstanceUuid = uuid.NewString()
	}
	return v.checkDevices(spec.DeviceChange)
}

func (v *vcenter) placeOnHost(request *types.CreateVM_Task) types.BaseMethodFault {
	if request.Host == nil {
		if request.Host = v.chooseHost(); request.Host == nil {
			return &types.HostNotConnected{}
		}
		return nil
	}
	host, ok := v.reg.Get(*request.Host).(*simulator.HostSystem)
	if !ok {
		return &types.ManagedObjectNotFound{Obj: *request.Host}
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.notResponding(host) && !v.restoring {
		return &types.HostNotConnected{}
	}
	return nil
}

func (v *vcenter) nameTaken(folder types.ManagedObjectReference, name string) *types.ManagedObjectReference {
	parent, ok := v.reg.Get(folder).(*simulator.Folder)
	if !ok {
		return nil
	}
	for _, child := range parent.ChildEntity {
		if m := v.machine(child); m != nil && m.name == name {
			return &child
		}
	}
	return nil
}

func (v *vcenter) hasInstance(id string) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, m := range v.byRef {
		if m.uuid == id {
			return true
		}
	}
	return false
}

// prepareReconfigure completes edits with what they leave out, as vCenter does; the simulator would forget it.
func prepareReconfigure(v *vcenter, s *steering) types.BaseMethodFault {
	vm, ok := v.reg.Get(s.entity).(*simulator.VirtualMachine)
	if !ok {
		return &types.ManagedObjectNotFound{Obj: s.entity}
	}
	devices := object.VirtualDeviceList(vm.Config.Hardware.Device)
	spec := &s.body.(*types.ReconfigVM_Task).Spec
	for i, change := range spec.DeviceChange {
		wanted := change.GetVirtualDeviceConfigSpec()
		if wanted.Operation == types.VirtualDeviceConfigSpecOperationAdd {
			continue
		}
		old := devices.FindByKey(wanted.Device.GetVirtualDevice().Key)
		if old == nil {
			return &types.InvalidDeviceSpec{DeviceIndex: int32(i)}
		}
		if wanted.Operation == types.VirtualDeviceConfigSpecOperationRemove {
			wanted.Device = old
		} else {
			completeDevice(wanted.Device, old)
		}
	}
	for _, device := range devices {
		s.order = append(s.order, device.GetVirtualDevice().Key)
	}
	return v.checkDevices(spec.DeviceChange)
}

func completeDevice(wanted, old types.BaseVirtualDevice) {
	w, o := wanted.GetVirtualDevice(), old.GetVirtualDevice()
	if w.ControllerKey == 0 {
		w.ControllerKey = o.ControllerKey
	}
	if w.UnitNumber == nil {
		w.UnitNumber = o.UnitNumber
	}
	if w.Backing == nil {
		w.Backing = o.Backing
	}
	if w.Connectable == nil && o.Connectable != nil {
		connectable := *o.Connectable
		w.Connectable = &connectable
	}
	if card, ok := wanted.(types.BaseVirtualEthernetCard); ok {
		completeCard(card.GetVirtualEthernetCard(), old)
	}
	if virtual, ok := wanted.(*types.VirtualDisk); ok {
		completeDisk(virtual, old)
	}
}

func completeCard(wanted *types.VirtualEthernetCard, old types.BaseVirtualDevice) {
	if card, ok := old.(types.BaseVirtualEthernetCard); ok && wanted.MacAddress == "" {
		wanted.MacAddress, wanted.AddressType = card.GetVirtualEthernetCard().MacAddress, card.GetVirtualEthernetCard().AddressType
	}
}

// completeDisk also makes the two capacities agree: the simulator takes one that was left out for 0.
func completeDisk(wanted *types.VirtualDisk, old types.BaseVirtualDevice) {
	before, ok := old.(*types.VirtualDisk)
	if !ok {
		return
	}
	if flat, ok := wanted.Backing.(*types.VirtualDiskFlatVer2BackingInfo); ok {
		own := *flat // without its parent, whose descriptor holds the size of before; finishReconfigure names it again
		own.FileName, own.Parent = fileName(before), nil
		wanted.Backing = &own
	}
	bytes := wanted.CapacityInBytes
	if bytes == 0 || bytes == before.CapacityInBytes && wanted.CapacityInKB > 0 {
		bytes = wanted.CapacityInKB << 10
	}
	if bytes == 0 {
		bytes = before.CapacityInBytes
	}
	wanted.CapacityInBytes, wanted.CapacityInKB = bytes, bytes>>10
}

// guardReconfigure: the configuration file is not locked, a disk may be: by a writer, or by the snapshots that hold it.
func guardReconfigure(v *vcenter, m *machine, s *steering) types.BaseMethodFault {
	for i, change := range s.body.(*types.ReconfigVM_Task).Spec.DeviceChange {
		wanted := change.GetVirtualDeviceConfigSpec()
		a := m.disk(wanted.Device.GetVirtualDevice().Key)
		if a == nil || wanted.Operation == types.VirtualDeviceConfigSpecOperationAdd {
			continue
		}
		if v.exports.writerOf(m, a.disk) != nil {
			return &types.FileLocked{FileFault: types.FileFault{File: a.Live}}
		}
		virtual, ok := wanted.Device.(*types.VirtualDisk)
		if !ok {
			continue
		}
		grows := virtual.CapacityInBytes > a.capacity
		destroys := wanted.FileOperation == types.VirtualDeviceConfigSpecFileOperationDestroy
		if virtual.CapacityInBytes < a.capacity {
			return &types.InvalidDeviceOperation{InvalidDeviceSpec: types.InvalidDeviceSpec{DeviceIndex: int32(i)}}
		}
		if m.isFrozen(a.disk) && (grows || destroys) {
			return &types.GenericVmConfigFault{Reason: "msg.disk.extendOrDestroy.snapshots: the disk is held by snapshots"}
		}
	}
	return nil
}

// finishReconfigure keeps edited devices in their places (the simulator moves them to the end) and frees what was destroyed.
func finishReconfigure(v *vcenter, m *machine, s *steering) {
	vm := v.reg.Get(m.ref).(*simulator.VirtualMachine)
	place := func(device types.BaseVirtualDevice) int {
		if i := slices.Index(s.order, device.GetVirtualDevice().Key); i >= 0 {
			return i
		}
		return len(s.order)
	}
	byPlace := func(a, b types.BaseVirtualDevice) int { return place(a) - place(b) }
	if devices := vm.Config.Hardware.Device; !slices.IsSortedFunc(devices, byPlace) {
		sorted := slices.Clone(devices)
		slices.SortStableFunc(sorted, byPlace)
		s.ctx.Update(vm, []types.PropertyChange{{Name: "config.hardware.device", Val: sorted}})
	}
	v.mu.Lock()
	v.renameFiles(m, &vm.VirtualMachine)
	v.mu.Unlock()
	v.sweep()
}
