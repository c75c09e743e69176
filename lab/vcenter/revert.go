package main

import (
	"log"
	"strconv"
	"time"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/types"
)

// revert gives the machine the configuration and the disk bytes of a snapshot. Tracked disks begin a new tracking run:
// change ids from before are refused. Independent disks stay as they are.
func revert(v *vcenter, m *machine, s *steering) types.BaseMethodFault {
	vm := v.reg.Get(m.ref).(*simulator.VirtualMachine)
	ref := revertTarget(vm, s)
	object, ok := v.reg.Get(ref).(*simulator.VirtualMachineSnapshot)
	if !ok {
		return &types.ManagedObjectNotFound{Obj: ref}
	}
	config, err := copyConfig(&object.Config)
	if err != nil {
		return &types.SystemError{Reason: err.Error()}
	}
	v.switchPower(s.ctx, vm, types.VirtualMachinePowerStatePoweredOff)
	to := v.rewind(m, ref, config)
	if to == nil {
		return &types.ManagedObjectNotFound{Obj: ref}
	}
	vm.Config = config
	summarize(vm)
	s.ctx.Update(vm, []types.PropertyChange{
		{Name: "config.hardware.device", Val: config.Hardware.Device},
		{Name: "config.changeVersion", Val: strconv.FormatInt(time.Now().UnixNano(), 10)},
		{Name: "snapshot.currentSnapshot", Val: ref},
	})
	if to.State == types.VirtualMachinePowerStatePoweredOn && !suppressesPowerOn(s) {
		v.switchPower(s.ctx, vm, types.VirtualMachinePowerStatePoweredOn)
	}
	return nil
}

func revertTarget(vm *simulator.VirtualMachine, s *steering) types.ManagedObjectReference {
	if s.method == "RevertToSnapshot_Task" {
		return s.this
	}
	if vm.Snapshot == nil || vm.Snapshot.CurrentSnapshot == nil {
		return types.ManagedObjectReference{Type: "VirtualMachineSnapshot"}
	}
	return *vm.Snapshot.CurrentSnapshot
}

func suppressesPowerOn(s *steering) bool {
	var suppress *bool
	switch body := s.body.(type) {
	case *types.RevertToSnapshot_Task:
		suppress = body.SuppressPowerOn
	case *types.RevertToCurrentSnapshot_Task:
		suppress = body.SuppressPowerOn
	}
	return suppress != nil && *suppress
}

// rewind turns the disks back and names new deltas in the devices of `config`; nil when the snapshot is gone.
func (v *vcenter) rewind(m *machine, ref types.ManagedObjectReference, config *types.VirtualMachineConfigInfo) *snapshot {
	v.stun.Lock()
	v.mu.Lock()
	defer v.stun.Unlock()
	defer v.mu.Unlock()
	to := m.snapshotOf(ref)
	if to == nil {
		return nil
	}
	for _, device := range config.Hardware.Device {
		virtual, ok := device.(*types.VirtualDisk)
		if !ok {
			continue
		}
		if d, f := v.frozenIn(m, to, virtual); d != nil {
			v.rewindDisk(m, d, f)
			setChangeID(virtual, "")
			rename(virtual, append(m.chain(d, to.Number), d.Live))
		}
	}
	before := m.numbered(m.Current)
	m.Current = to.Number
	if before != nil && before.Held {
		v.consolidate(m, before)
	}
	v.save()
	return to
}

func (v *vcenter) rewindDisk(m *machine, d *disk, f *freeze) {
	if err := d.store.revert(f.Map); err != nil {
		log.Fatalf("%s cannot be reverted: %v", d.File, err)
	}
	v.removeFiles(d.Live)
	d.Live = v.nextFile(m, d)
	d.attachTo(m.ref.Value, f.Key)
	if d.TrackingID != "" {
		d.TrackingID = newTrackingID()
	}
}

// frozenIn finds the disk that the snapshot shows as that device: the machine's own, or one that it had then.
func (v *vcenter) frozenIn(m *machine, s *snapshot, virtual *types.VirtualDisk) (detached *disk, frozen *freeze) {
	for _, d := range v.state.Disks {
		f := d.freezeOf(s.Number)
		switch {
		case f == nil:
		case d.Owner == m.ref.Value && f.Key == virtual.Key:
			return d, f
		case d.Owner == "" && d.Former == m.ref.Value && f.Key == virtual.Key:
			detached, frozen = d, f
		}
	}
	return detached, frozen
}

// switchPower changes the power state without asking anybody; the caller holds the machine's lock.
func (v *vcenter) switchPower(ctx *simulator.Context, vm *simulator.VirtualMachine, to types.VirtualMachinePowerState) {
	if vm.Runtime.PowerState == to {
		return
	}
	boot := types.AnyType(nil)
	if to == types.VirtualMachinePowerStatePoweredOn {
		boot = time.Now()
	}
	ctx.Update(vm, []types.PropertyChange{
		{Name: "runtime.powerState", Val: to},
		{Name: "summary.runtime.powerState", Val: to},
		{Name: "summary.runtime.bootTime", Val: boot},
	})
}

// summarize repeats in the summary what the configuration says.
func summarize(vm *simulator.VirtualMachine) {
	config, summary := vm.Config, &vm.Summary.Config
	summary.Annotation, summary.GuestId, summary.GuestFullName = config.Annotation, config.GuestId, config.GuestFullName
	summary.Uuid, summary.InstanceUuid, summary.HwVersion = config.Uuid, config.InstanceUuid, config.Version
	summary.NumCpu, summary.MemorySizeMB = config.Hardware.NumCPU, config.Hardware.MemoryMB
	summary.VmPathName = config.Files.VmPathName
	summary.NumVirtualDisks, summary.NumEthernetCards = 0, 0
	for _, device := range config.Hardware.Device {
		switch device.(type) {
		case *types.VirtualDisk:
			summary.NumVirtualDisks++
		case types.BaseVirtualEthernetCard:
			summary.NumEthernetCards++
		}
	}
}
