package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/types"
)

// unsavedReferences is more than were given away since the state was saved last.
const unsavedReferences = 1000

// step of a restore. They run in the order of the references they bring back.
type step struct {
	ref string
	run func() error
}

// restore makes folders, machines and snapshots again as they were, under their old references.
func (v *vcenter) restore(ctx context.Context, p place) error {
	v.restoring = true
	defer func() { v.restoring = false }()
	var steps []step
	for full, ref := range v.state.Folders {
		steps = append(steps, step{ref, func() error {
			v.alignReferences(referenceNumber(ref))
			_, err := p.folder(ctx, full)
			return err
		}})
	}
	for ref, saved := range v.state.Machines {
		config, err := v.readConfig(ref, "config.xml")
		if errors.Is(err, fs.ErrNotExist) { // killed while it was being made
			v.forgetHalfMade(ref, saved)
			continue
		}
		if err != nil {
			return err
		}
		steps = append(steps, step{ref, func() error { return v.restoreMachine(ctx, p, ref, saved, config) }})
		for _, s := range saved.Snapshots {
			if !s.Removed {
				steps = append(steps, step{s.Ref, func() error { return v.restoreSnapshot(ctx, ref, s) }})
			}
		}
	}
	slices.SortFunc(steps, func(a, b step) int { return cmp.Compare(referenceNumber(a.ref), referenceNumber(b.ref)) })
	for _, s := range steps {
		if err := s.run(); err != nil {
			return fmt.Errorf("%s: %w", s.ref, err)
		}
	}
	for _, m := range v.byRef {
		v.settleMachine(m)
	}
	for _, d := range v.state.Disks { // killed between two records
		m := v.byRef[types.ManagedObjectReference{Type: "VirtualMachine", Value: d.Owner}]
		if m == nil || m.disk(d.Key) == nil || m.disk(d.Key).disk != d {
			d.detach()
		}
	}
	v.alignReferences(v.state.Highest + unsavedReferences)
	return nil
}

func (v *vcenter) forgetHalfMade(ref string, saved *machineState) {
	delete(v.state.Machines, ref)
	for file, d := range v.state.Disks {
		if d.Owner == ref {
			v.removeFiles(file)
			v.dropDisk(d)
		}
	}
	if strings.HasSuffix(saved.Home, ".vmx") {
		os.RemoveAll(path.Dir(v.path(saved.Home)))
	}
}

func (v *vcenter) restoreMachine(ctx context.Context, p place, ref string, saved *machineState, config *types.VirtualMachineConfigInfo) error {
	folder, err := p.folder(ctx, saved.Folder)
	if err != nil {
		return err
	}
	home := v.path(saved.Home)
	if err := os.MkdirAll(path.Dir(home), 0o700); err != nil {
		return err
	}
	if err := clearMade(home); err != nil {
		return err
	}
	v.alignReferences(referenceNumber(ref) - 1) // the task comes first
	spec := types.VirtualMachineConfigSpec{Name: saved.Name, Files: &types.VirtualMachineFileInfo{VmPathName: saved.Home}}
	pool := object.NewResourcePool(v.client, types.ManagedObjectReference{Type: "ResourcePool", Value: saved.Pool})
	host := object.NewHostSystem(v.client, types.ManagedObjectReference{Type: "HostSystem", Value: saved.Host})
	task, err := folder.CreateVM(ctx, spec, pool, host)
	if err != nil {
		return err
	}
	made, err := task.WaitForResult(ctx, nil)
	if err != nil {
		return err
	}
	if got := made.Result.(types.ManagedObjectReference).Value; got != ref {
		return fmt.Errorf("it would come back as %s", got)
	}
	v.configure(v.reg.Get(made.Result.(types.ManagedObjectReference)).(*simulator.VirtualMachine), config)
	return nil
}

// clearMade removes what the simulator makes again, and would not while it is there.
func clearMade(home string) error {
	snapshots, err := filepath.Glob(filepath.Join(filepath.Dir(home), "*.vmsn"))
	for _, file := range append(snapshots, home, filepath.Join(filepath.Dir(home), "vmware.log")) {
		if gone := os.Remove(file); gone != nil && !errors.Is(gone, fs.ErrNotExist) {
			err = errors.Join(err, gone)
		}
	}
	return err
}

// configure gives a machine that was just made its old configuration.
func (v *vcenter) configure(vm *simulator.VirtualMachine, config *types.VirtualMachineConfigInfo) {
	ctx := &simulator.Context{Map: v.reg}
	v.reg.WithLock(ctx, vm, func() {
		vm.Config = config
		vm.Name = config.Name
		summarize(vm)
		vm.Network, vm.Guest.Net = nil, nil
		for _, device := range config.Hardware.Device {
			if card, ok := device.(types.BaseVirtualEthernetCard); ok {
				v.plug(vm, card.GetVirtualEthernetCard())
			}
		}
		ctx.Update(vm, []types.PropertyChange{
			{Name: "config.hardware.device", Val: config.Hardware.Device},
			{Name: "config.changeVersion", Val: config.ChangeVersion},
		})
		vm.RefreshStorageInfo(ctx, nil)
	})
}

func (v *vcenter) plug(vm *simulator.VirtualMachine, card *types.VirtualEthernetCard) {
	nic := types.GuestNicInfo{MacAddress: card.MacAddress, Connected: true, DeviceConfigId: card.Key}
	switch b := card.Backing.(type) {
	case *types.VirtualEthernetCardNetworkBackingInfo:
		nic.Network = b.DeviceName
		if b.Network != nil {
			vm.Network = append(vm.Network, *b.Network)
		}
	case *types.VirtualEthernetCardDistributedVirtualPortBackingInfo:
		vm.Network = append(vm.Network, types.ManagedObjectReference{Type: "DistributedVirtualPortgroup", Value: b.Port.PortgroupKey})
	}
	vm.Guest.Net = append(vm.Guest.Net, nic)
}

func (v *vcenter) restoreSnapshot(ctx context.Context, machine string, s *snapshot) error {
	m := v.machine(types.ManagedObjectReference{Type: "VirtualMachine", Value: machine})
	vm := v.reg.Get(m.ref).(*simulator.VirtualMachine)
	v.reg.WithLock(&simulator.Context{Map: v.reg}, vm, func() {
		m.adopting = s
		if vm.Snapshot != nil { // the simulator makes it a child of the current one
			vm.Snapshot.CurrentSnapshot = nil
			if parent := m.ancestor(s.Parent); parent != nil {
				vm.Snapshot.CurrentSnapshot = &parent.ref
			}
		}
	})
	v.alignReferences(referenceNumber(s.Ref) - 1)
	task, err := object.NewVirtualMachine(v.client, m.ref).CreateSnapshot(ctx, s.Name, s.Description, false, false)
	if err != nil {
		return err
	}
	return task.Wait(ctx)
}

func (v *vcenter) adoptSnapshot(m *machine, made *simulator.VirtualMachineSnapshot) {
	s := m.adopting
	m.adopting, s.ref, s.Ref = nil, made.Self, made.Self.Value
	if config, err := v.readConfig(m.ref.Value, snapshotFile(s)); err == nil {
		made.Config = *config
	}
}

// settleMachine is the last of a restore: the current snapshot and the power state.
func (v *vcenter) settleMachine(m *machine) {
	vm := v.reg.Get(m.ref).(*simulator.VirtualMachine)
	ctx := &simulator.Context{Map: v.reg}
	v.reg.WithLock(ctx, vm, func() {
		m.pointAtCurrent(&vm.VirtualMachine)
		v.renameFiles(m, &vm.VirtualMachine)
		if m.PoweredOn {
			v.switchPower(ctx, vm, types.VirtualMachinePowerStatePoweredOn)
		}
	})
}

// referenceNumber is the 1012 of "vm-1012".
func referenceNumber(ref string) int64 {
	n, _ := strconv.ParseInt(ref[strings.LastIndex(ref, "-")+1:], 10, 64)
	return n
}

// placeholder is an object that only keeps a number of the registry's counter.
type placeholder struct{ Self types.ManagedObjectReference }

func (p *placeholder) Reference() types.ManagedObjectReference { return p.Self }

// alignReferences makes `next` the number of the next object, unless the counter is past it already.
func (v *vcenter) alignReferences(next int64) {
	p := &placeholder{types.ManagedObjectReference{Type: "Placeholder", Value: fmt.Sprintf("placeholder-%d", next-1)}}
	v.reg.Put(p)
	v.reg.AlignCounter()
	v.reg.Remove(&simulator.Context{Map: v.reg}, p.Self)
}
