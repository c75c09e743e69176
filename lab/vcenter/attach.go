package main

import (
	"log"
	"os"
	"strings"

	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"
)

func (v *vcenter) know(vm *mo.VirtualMachine) *machine {
	if m := v.byRef[vm.Self]; m != nil {
		return m
	}
	saved := v.state.Machines[vm.Self.Value]
	if saved == nil {
		saved = &machineState{Tools: toolsRunning}
		v.state.Machines[vm.Self.Value] = saved
	}
	m := &machine{machineState: saved, ref: vm.Self, name: vm.Name}
	v.byRef[vm.Self] = m
	return m
}

// attachDisks follows the machine's devices. A disk that has grown starts a new tracking run, as on ESXi.
func (v *vcenter) attachDisks(m *machine, vm *mo.VirtualMachine) {
	before := m.disks
	m.disks = nil
	for _, device := range vm.Config.Hardware.Device {
		if virtual, ok := device.(*types.VirtualDisk); ok {
			if a := v.attach(m, virtual); a != nil {
				m.disks = append(m.disks, a)
			}
		}
	}
	for _, old := range before {
		now := m.disk(old.key)
		if now == nil || now.disk != old.disk {
			v.exports.endGuest(m, old.disk)
			old.detach()
		} else if now.capacity != old.capacity && now.TrackingID != "" {
			now.TrackingID = newTrackingID()
		}
	}
	if len(m.disks) > 0 {
		vm.Capability.ChangeTrackingSupported = true
	}
}

func (v *vcenter) attach(m *machine, virtual *types.VirtualDisk) *attached {
	a := describe(virtual)
	if a == nil {
		return nil
	}
	file := fileName(virtual)
	placeholder := v.path(flatName(file))
	if a.disk = v.diskAt(m, virtual.Key, file, placeholder); a.disk == nil {
		created, err := v.state.createDisk(file)
		if err != nil {
			log.Fatalf("no room for the disk %s: %v", file, err)
		}
		a.disk = created
	}
	a.attachTo(m.ref.Value, a.key)
	if err := os.Truncate(placeholder, a.capacity); err != nil {
		log.Printf("placeholder of %s: %v", file, err)
	}
	return a
}

// diskAt finds the disk whose live file that is, unless the file is new: the simulator creates an empty placeholder
// beside each new descriptor, and attach gives it the disk's size. After a restart the disk is known by its owner.
func (v *vcenter) diskAt(m *machine, key int32, file, placeholder string) *disk {
	info, err := os.Stat(placeholder)
	isNew := err == nil && info.Size() == 0
	for _, d := range v.state.Disks {
		switch {
		case v.restoring && d.Owner == m.ref.Value && d.Key == key:
			return d
		case d.Owner == m.ref.Value && d.Live == file:
			return d
		case d.Owner == "" && (d.Live == file || d.File == file) && !isNew:
			return d
		}
	}
	if old := v.state.Disks[file]; old != nil {
		old.store.close()
	}
	return nil
}

// describe reads a device; nil when the simulator cannot back it with bytes.
func describe(virtual *types.VirtualDisk) *attached {
	a := &attached{key: virtual.Key, capacity: virtual.CapacityInBytes, backing: "flat"}
	switch b := virtual.Backing.(type) {
	case *types.VirtualDiskFlatVer2BackingInfo:
		a.mode, a.thin = b.DiskMode, b.ThinProvisioned != nil && *b.ThinProvisioned
		if b.Sharing == string(types.VirtualDiskSharingSharingMultiWriter) {
			a.backing = "shared"
		}
	case *types.VirtualDiskRawDiskMappingVer1BackingInfo:
		a.mode, a.backing, a.thin = b.DiskMode, "rdmVirtual", true
		if b.CompatibilityMode == string(types.VirtualDiskCompatibilityModePhysicalMode) {
			a.backing = "rdmPhysical"
		}
	default:
		return nil
	}
	a.snapshotted = !strings.HasPrefix(a.mode, "independent") && a.backing != "rdmPhysical"
	return a
}
