package main

import (
	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/types"
)

// rules name the methods that run through Steer.
var rules = map[string]rule{}

func init() {
	rules = map[string]rule{
		"PowerOnVM_Task":               {guard: refuseWhileWritten},
		"PowerOnMultiVM_Task":          {prepare: prepareManyPowerOns},
		"ShutdownGuest":                {guard: guardGuest},
		"RebootGuest":                  {guard: guardGuest},
		"CreateSnapshot_Task":          {guard: guardSnapshot},
		"CreateSnapshotEx_Task":        {guard: guardSnapshot},
		"RemoveSnapshot_Task":          {guard: guardRemoval, after: forgetRemoved},
		"RemoveAllSnapshots_Task":      {guard: refuseWhileWritten},
		"RevertToSnapshot_Task":        {guard: guardSnapshotObject, work: revert},
		"RevertToCurrentSnapshot_Task": {guard: refuseWhileWritten, work: revert},
		"CreateVM_Task":                {prepare: prepareCreate},
		"ReconfigVM_Task":              {prepare: prepareReconfigure, guard: guardReconfigure, after: finishReconfigure},
		"Destroy_Task":                 {guard: refuseWhileWritten, after: freeMachine},
		"DeleteDatastoreFile_Task":     {guard: guardFiles, after: sweepFiles},
		"DeleteVirtualDisk_Task":       {guard: guardFiles, after: sweepFiles},
		"UnregisterVM":                 {guard: refuseUnregister},
	}
}

// refuseWhileWritten: a disk that somebody writes is locked, as a file on VMFS is.
func refuseWhileWritten(v *vcenter, m *machine, _ *steering) types.BaseMethodFault {
	if e := v.exports.writerOf(m, nil); e != nil {
		return &types.FileLocked{FileFault: types.FileFault{File: e.disk.Live}}
	}
	return nil
}

// prepareManyPowerOns: the tasks of the single machines start behind Steer's back.
func prepareManyPowerOns(v *vcenter, s *steering) types.BaseMethodFault {
	for _, ref := range s.body.(*types.PowerOnMultiVM_Task).Vm {
		if m := v.machine(ref); m != nil {
			if fault := refuseWhileWritten(v, m, s); fault != nil {
				return fault
			}
		}
	}
	return nil
}

// guardSnapshotObject also keeps the simulator from panicking over a snapshot that an earlier task has removed.
func guardSnapshotObject(v *vcenter, m *machine, s *steering) types.BaseMethodFault {
	if m.snapshotOf(s.this) == nil {
		return &types.ManagedObjectNotFound{Obj: s.this}
	}
	return refuseWhileWritten(v, m, s)
}

// guardRemoval hides the current snapshot from the simulator, which panics when it removes it while it is one of several
// roots; followSnapshotTree names the right one afterwards.
func guardRemoval(v *vcenter, m *machine, s *steering) types.BaseMethodFault {
	fault := guardSnapshotObject(v, m, s)
	vm := v.reg.Get(m.ref).(*simulator.VirtualMachine)
	if fault == nil && vm.Snapshot.CurrentSnapshot != nil && *vm.Snapshot.CurrentSnapshot == s.this {
		vm.Snapshot.CurrentSnapshot = nil
	}
	return fault
}

// forgetRemoved drops the objects of children that were removed with their parent.
func forgetRemoved(v *vcenter, m *machine, s *steering) {
	v.mu.Lock()
	var gone []types.ManagedObjectReference
	for _, record := range m.Snapshots {
		if record.Removed && v.reg.Get(record.ref) != nil {
			gone = append(gone, record.ref)
		}
	}
	v.mu.Unlock()
	for _, ref := range gone {
		v.reg.Remove(s.ctx, ref)
	}
}

// refuseUnregister names a fault that UnregisterVM declares.
func refuseUnregister(v *vcenter, m *machine, s *steering) types.BaseMethodFault {
	if refuseWhileWritten(v, m, s) != nil {
		return &types.TaskInProgress{}
	}
	return nil
}
