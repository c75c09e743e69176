package main

import (
	"fmt"
	"log"
	"os"
	"path/filepath"
	"time"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"
)

// takeSnapshot freezes the machine's disks and puts change ids into the snapshot's own copy of the devices.
func (v *vcenter) takeSnapshot(m *machine, vm *mo.VirtualMachine, object *simulator.VirtualMachineSnapshot) {
	if m.adopting != nil {
		v.adoptSnapshot(m, object)
		return
	}
	record := &snapshot{Number: len(m.Snapshots) + 1, Parent: m.Current, TakenAt: time.Now().UTC(), Ref: object.Self.Value, ref: object.Self, guestRan: m.on.Load()}
	m.Snapshots = append(m.Snapshots, record)
	v.freezeDisks(m, record)
	m.Current = record.Number
	for _, a := range m.disks {
		if f := a.freezeOf(record.Number); f != nil {
			setChangeID(findDisk(object.Config.Hardware.Device, a.key), f.ChangeID)
			a.Live = v.nextFile(m, a.disk)
		}
	}
	v.renameFiles(m, vm)
	v.recordSnapshot(m, record, &object.Config)
	v.save()
}

func (v *vcenter) freezeDisks(m *machine, record *snapshot) {
	for _, a := range m.disks {
		if !a.snapshotted {
			continue
		}
		number, err := a.store.freeze()
		if err != nil {
			log.Fatalf("%s cannot be frozen: %v", a.File, err)
		}
		f := freeze{Snapshot: record.Number, Map: number, CapacityBytes: a.capacity, File: a.Live, Key: a.key}
		if a.TrackingID != "" {
			f.ChangeID = fmt.Sprintf("%s/%d", a.TrackingID, number+1)
		}
		a.Freezes = append(a.Freezes, f)
	}
}

// followSnapshotTree names new snapshots and consolidates those that left the tree.
func (v *vcenter) followSnapshotTree(m *machine, vm *mo.VirtualMachine) {
	tree := map[types.ManagedObjectReference]*types.VirtualMachineSnapshotTree{}
	if vm.Snapshot != nil {
		index(vm.Snapshot.RootSnapshotList, tree)
	}
	removed := false
	for _, s := range m.present() {
		node, there := tree[s.ref]
		switch {
		case there && s.Name == "":
			node.CreateTime, node.Quiesced = s.TakenAt, node.Quiesced && s.guestRan
			s.Name, s.Description, s.State, s.Quiesced = node.Name, node.Description, node.State, node.Quiesced
		case there: // after a restart the simulator has only just made it
			node.CreateTime, node.State, node.Quiesced = s.TakenAt, s.State, s.Quiesced
		case s.Name != "" && s.ref.Value != "":
			s.Removed, removed = true, true
			v.exports.endSnapshot(s.ref)
			os.Remove(filepath.Join(v.state.configDir(m.ref.Value), snapshotFile(s)))
			v.consolidate(m, s)
		}
	}
	v.renameFiles(m, vm)
	if removed {
		v.settleTracking(m, vm, true)
		m.pointAtCurrent(vm)
	}
}

// pointAtCurrent corrects what the simulator says when a snapshot went together with its children.
func (m *machine) pointAtCurrent(vm *mo.VirtualMachine) {
	if vm.Snapshot == nil {
		return
	}
	vm.Snapshot.CurrentSnapshot = nil
	if s := m.ancestor(m.Current); s != nil {
		vm.Snapshot.CurrentSnapshot = &s.ref
	}
}

func index(nodes []types.VirtualMachineSnapshotTree, into map[types.ManagedObjectReference]*types.VirtualMachineSnapshotTree) {
	for i := range nodes {
		into[nodes[i].Snapshot] = &nodes[i]
		index(nodes[i].ChildSnapshotList, into)
	}
}
