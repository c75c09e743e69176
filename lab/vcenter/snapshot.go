package main

import (
	"fmt"
	"log"
	"os"
	"path"
	"strings"
	"time"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"
)

// takeSnapshot freezes the machine's disks and puts change ids into the snapshot's own copy of the devices.
func (v *vcenter) takeSnapshot(m *machine, vm *mo.VirtualMachine, object *simulator.VirtualMachineSnapshot) {
	var record *snapshot
	if len(m.adopt) > 0 {
		record, m.adopt = m.adopt[0], m.adopt[1:]
	} else {
		record = &snapshot{Number: len(m.Snapshots) + 1, TakenAt: time.Now().UTC()}
		m.Snapshots = append(m.Snapshots, record)
		v.freezeDisks(m, record)
	}
	record.ref = object.Self
	for _, a := range m.disks {
		f := a.freezeOf(record.Number)
		if f == nil {
			continue
		}
		setChangeID(findDisk(object.Config.Hardware.Device, a.key), f.ChangeID)
		a.chain = append(a.chain, v.nextFile(a))
	}
	v.renameFiles(m, vm)
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
		f := freeze{Snapshot: record.Number, Map: number, CapacityBytes: a.capacity}
		if a.TrackingID != "" {
			f.ChangeID = fmt.Sprintf("%s/%d", a.TrackingID, number+1)
		}
		a.Freezes = append(a.Freezes, f)
	}
}

// followSnapshotTree names new snapshots and consolidates those that left the tree.
func (v *vcenter) followSnapshotTree(m *machine, vm *mo.VirtualMachine) {
	tree := map[types.ManagedObjectReference]types.VirtualMachineSnapshotTree{}
	if vm.Snapshot != nil {
		flatten(vm.Snapshot.RootSnapshotList, tree)
	}
	removed := false
	for _, s := range m.present() {
		node, there := tree[s.ref]
		switch {
		case there:
			s.Name, s.Quiesced = node.Name, node.Quiesced
		case s.Name != "" && s.ref.Value != "":
			v.consolidate(m, s)
			removed = true
		}
	}
	if removed {
		v.settleTracking(m, vm, true)
		v.renameFiles(m, vm)
	}
}

func flatten(nodes []types.VirtualMachineSnapshotTree, into map[types.ManagedObjectReference]types.VirtualMachineSnapshotTree) {
	for _, node := range nodes {
		into[node.Snapshot] = node
		flatten(node.ChildSnapshotList, into)
	}
}

// consolidate merges the file written after the snapshot into the one the snapshot held.
func (v *vcenter) consolidate(m *machine, gone *snapshot) {
	for _, a := range m.disks {
		position := 0
		for _, s := range m.present() {
			if s == gone && a.freezeOf(s.Number) != nil && position+1 < len(a.chain) {
				v.removeFiles(a.chain[position+1])
				a.chain = append(a.chain[:position+1], a.chain[position+2:]...)
				break
			}
			if a.freezeOf(s.Number) != nil {
				position++
			}
		}
	}
	gone.Removed = true
	v.exports.endSnapshot(gone.ref)
}

// renameFiles gives the live devices and those of the snapshots the file names of the chain.
func (v *vcenter) renameFiles(m *machine, vm *mo.VirtualMachine) {
	for _, a := range m.disks {
		position := 0
		for _, s := range m.present() {
			object, ok := v.reg.Get(s.ref).(*simulator.VirtualMachineSnapshot)
			if a.freezeOf(s.Number) == nil {
				continue
			}
			if ok {
				rename(findDisk(object.Config.Hardware.Device, a.key), a.chain[:position+1])
			}
			position++
		}
		rename(findDisk(vm.Config.Hardware.Device, a.key), a.chain)
	}
}

// rename replaces the backing, so that a reader of the old one is not disturbed.
func rename(virtual *types.VirtualDisk, chain []string) {
	if virtual == nil {
		return
	}
	flat, ok := virtual.Backing.(*types.VirtualDiskFlatVer2BackingInfo)
	if !ok {
		return
	}
	var backing *types.VirtualDiskFlatVer2BackingInfo
	for _, file := range chain {
		next := *flat
		next.FileName, next.Parent, next.ChangeId = file, backing, ""
		backing = &next
	}
	backing.ChangeId = flat.ChangeId
	virtual.Backing = backing
}

func findDisk(devices []types.BaseVirtualDevice, key int32) *types.VirtualDisk {
	for _, device := range devices {
		if virtual, ok := device.(*types.VirtualDisk); ok && virtual.Key == key {
			return virtual
		}
	}
	return nil
}

// nextFile makes the next delta's descriptor and placeholder beside the base, as the datastore browser shows them.
func (v *vcenter) nextFile(a *attached) string {
	stem := strings.TrimSuffix(a.File, ".vmdk")
	for n := 1; ; n++ {
		file := fmt.Sprintf("%s-%06d.vmdk", stem, n)
		if contains(a.chain, file) {
			continue
		}
		if descriptor, err := os.ReadFile(v.path(a.File)); err == nil {
			os.WriteFile(v.path(file), descriptor, 0o600)
			os.WriteFile(v.path(flatName(file)), nil, 0o600)
		}
		return file
	}
}

func (v *vcenter) removeFiles(file string) {
	os.Remove(v.path(file))
	os.Remove(v.path(flatName(file)))
}

// path resolves "[datastore] a/b.vmdk"; the practice vCenter has one datastore.
func (v *vcenter) path(file string) string {
	return path.Join(v.reg.Any("Datastore").(*simulator.Datastore).Summary.Url, datastorePath(file))
}

func contains(list []string, item string) bool {
	for _, s := range list {
		if s == item {
			return true
		}
	}
	return false
}
