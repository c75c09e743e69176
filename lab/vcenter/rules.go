package main

import (
	"github.com/vmware/govmomi/vim25/types"
)

// rules name the methods that run through Steer.
var rules = map[string]rule{}

func init() {
	rules = map[string]rule{
		"PowerOnVM_Task":          {guard: refuseWhileWritten},
		"CreateSnapshot_Task":     {guard: refuseWhileWritten},
		"CreateSnapshotEx_Task":   {guard: refuseWhileWritten},
		"RemoveSnapshot_Task":     {guard: guardRemoval},
		"RemoveAllSnapshots_Task": {guard: refuseWhileWritten},
		"ReconfigVM_Task":         {guard: guardReconfigure},
		"Destroy_Task":            {guard: refuseWhileWritten},
		"UnregisterVM":            {guard: refuseUnregister},
	}
}

// refuseWhileWritten: a disk that somebody writes is locked, as a file on VMFS is.
func refuseWhileWritten(v *vcenter, m *machine, _ *steering) types.BaseMethodFault {
	if e := v.exports.writerOf(m, nil); e != nil {
		return &types.FileLocked{FileFault: types.FileFault{File: e.disk.Live}}
	}
	return nil
}

// guardRemoval also keeps the simulator from panicking over a snapshot that an earlier task has removed.
func guardRemoval(v *vcenter, m *machine, s *steering) types.BaseMethodFault {
	if m.snapshotOf(s.this) == nil {
		return &types.ManagedObjectNotFound{Obj: s.this}
	}
	return refuseWhileWritten(v, m, s)
}

// refuseUnregister names a fault that UnregisterVM declares.
func refuseUnregister(v *vcenter, m *machine, s *steering) types.BaseMethodFault {
	if refuseWhileWritten(v, m, s) != nil {
		return &types.TaskInProgress{}
	}
	return nil
}

// guardReconfigure: the configuration file is not locked, only the disk is.
func guardReconfigure(v *vcenter, m *machine, s *steering) types.BaseMethodFault {
	for _, change := range s.body.(*types.ReconfigVM_Task).Spec.DeviceChange {
		a := m.disk(change.GetVirtualDeviceConfigSpec().Device.GetVirtualDevice().Key)
		if a != nil && v.exports.writerOf(m, a.disk) != nil {
			return &types.FileLocked{FileFault: types.FileFault{File: a.Live}}
		}
	}
	return nil
}
