package main

import (
	"fmt"
	"strings"

	"github.com/google/uuid"
	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

const maxAreas = 2000

// settleTracking makes changeTrackingEnabled take effect: at once while the machine is off, else only at the end of
// a stun cycle (`cycled`: a snapshot was removed, or the power state changed).
func (v *vcenter) settleTracking(m *machine, vm *mo.VirtualMachine, cycled bool) {
	wanted := vm.Config.ChangeTrackingEnabled != nil && *vm.Config.ChangeTrackingEnabled
	if v.restoring || m.on.Load() && !cycled {
		return
	}
	for _, a := range m.disks {
		switch {
		case !wanted || !a.trackable():
			a.TrackingID = ""
		case a.TrackingID == "":
			a.TrackingID = newTrackingID()
		}
	}
}

func (v *vcenter) resetTracking(m *machine) {
	for _, a := range m.disks {
		if a.TrackingID != "" {
			a.TrackingID = newTrackingID()
		}
	}
}

// newTrackingID looks like ESXi's: 16 bytes in two halves.
func newTrackingID() string {
	id := uuid.New()
	return fmt.Sprintf("% x-% x", id[:8], id[8:])
}

func setChangeID(virtual *types.VirtualDisk, id string) {
	switch b := virtual.Backing.(type) {
	case *types.VirtualDiskFlatVer2BackingInfo:
		b.ChangeId = id
	case *types.VirtualDiskRawDiskMappingVer1BackingInfo:
		b.ChangeId = id
	}
}

// QueryChangedDiskAreas answers for every machine: handle sends the call here.
func (v *vcenter) QueryChangedDiskAreas(_ *simulator.Context, req *types.QueryChangedDiskAreas) soap.HasFault {
	body := new(methods.QueryChangedDiskAreasBody)
	info, fault := v.changedAreas(req)
	if fault != nil {
		body.Fault_ = simulator.Fault(fmt.Sprintf("%T", fault), fault)
		return body
	}
	body.Res = &types.QueryChangedDiskAreasResponse{Returnval: *info}
	return body
}

func (v *vcenter) changedAreas(req *types.QueryChangedDiskAreas) (*types.DiskChangeInfo, types.BaseMethodFault) {
	v.mu.Lock()
	defer v.mu.Unlock()
	m := v.byRef[req.This]
	if m == nil {
		return nil, &types.ManagedObjectNotFound{Obj: req.This}
	}
	a := m.disk(req.DeviceKey)
	if a == nil {
		return nil, &types.InvalidArgument{InvalidProperty: "deviceKey"}
	}
	now, capacity, fault := queriedView(m, a, req.Snapshot)
	if fault != nil {
		return nil, fault
	}
	if req.StartOffset < 0 || req.StartOffset >= capacity {
		return nil, &types.InvalidArgument{InvalidProperty: "startOffset"}
	}
	var before blockMap
	if req.ChangeId != "*" {
		f := a.byChangeID(req.ChangeId)
		if f == nil || !strings.HasPrefix(req.ChangeId, a.TrackingID+"/") {
			return nil, &types.FileFault{File: a.Live}
		}
		before = a.frozenView(f).blocks
	}
	areas, looked := now.changedSince(before, req.StartOffset, capacity, maxAreas)
	info := &types.DiskChangeInfo{StartOffset: req.StartOffset, Length: looked}
	for _, area := range areas {
		info.ChangedArea = append(info.ChangedArea, types.DiskChangeExtent{Start: area.offset, Length: area.length})
	}
	return info, nil
}

func queriedView(m *machine, a *attached, ref *types.ManagedObjectReference) (view, int64, types.BaseMethodFault) {
	if a.TrackingID == "" {
		return view{}, 0, &types.FileFault{File: a.Live}
	}
	if ref == nil {
		if m.on.Load() {
			return view{}, 0, &types.InvalidArgument{InvalidProperty: "snapshot"}
		}
		return a.store.liveView(), a.capacity, nil
	}
	for _, s := range m.present() {
		if s.ref != *ref {
			continue
		}
		if f := a.freezeOf(s.Number); f != nil && strings.HasPrefix(f.ChangeID, a.TrackingID+"/") {
			return a.frozenView(f), f.CapacityBytes, nil
		}
		return view{}, 0, &types.FileFault{File: a.Live}
	}
	return view{}, 0, &types.ManagedObjectNotFound{Obj: *ref}
}
