package main

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/vmware/govmomi/vim25/types"
)

type exportRequest struct {
	Machine   string  `json:"machine"`
	Snapshot  *string `json:"snapshot"`
	DeviceKey int32   `json:"deviceKey"`
	Mode      string  `json:"mode"`
}

// exportRefusal is the body of a 409: which vim25 fault a host would name, and for a lock how long it has been held.
type exportRefusal struct {
	Error       string `json:"error"`
	Fault       string `json:"fault"`
	HolderAgeMs *int64 `json:"holderAgeMs,omitempty"`
}

func (v *vcenter) createExport(w http.ResponseWriter, r *http.Request) {
	var request exportRequest
	if !decode(w, r, &request) {
		return
	}
	if request.Mode != "read" && request.Mode != "write" || request.Mode == "write" && request.Snapshot != nil {
		refuse(w, http.StatusBadRequest, `mode is "read", or "write" without a snapshot`)
		return
	}
	privilege := map[string]string{"read": "VirtualMachine.Provisioning.DiskRandomRead", "write": "VirtualMachine.Provisioning.DiskRandomAccess"}
	if v.isDenied(w, r, privilege[request.Mode]) {
		return
	}
	m := v.machine(types.ManagedObjectReference{Type: "VirtualMachine", Value: request.Machine})
	if m == nil {
		refuse(w, http.StatusNotFound, "unknown machine")
		return
	}
	e, refused := v.openExport(m, request)
	switch {
	case refused != nil:
		answer(w, http.StatusConflict, refused)
	case e == nil:
		refuse(w, http.StatusNotFound, "unknown disk, or not part of that snapshot")
	default:
		answer(w, http.StatusCreated, map[string]any{
			"id": e.id, "host": v.exports.addr.IP.String(), "port": v.exports.addr.Port, "exportName": e.name,
		})
	}
}

// openExport decides and opens in one step: tasks that need the disk for themselves ask under the same lock.
func (v *vcenter) openExport(m *machine, request exportRequest) (*export, *exportRefusal) {
	v.mu.Lock()
	defer v.mu.Unlock()
	e := v.newExport(m, request)
	if e == nil || v.byRef[m.ref] != m {
		return nil, nil
	}
	if fault := v.outOfReach(m); fault != nil {
		return nil, &exportRefusal{Error: "the machine is out of reach", Fault: strings.TrimPrefix(fmt.Sprintf("%T", fault), "*types.")}
	}
	if request.Snapshot == nil && m.on.Load() {
		return nil, &exportRefusal{Error: "the machine is powered on", Fault: "InvalidPowerState"}
	}
	if e.writable {
		if refused := v.refuseWriter(m, e.disk); refused != nil {
			return nil, refused
		}
	}
	return v.exports.add(e), nil
}

func (v *vcenter) refuseWriter(m *machine, a *attached) *exportRefusal {
	if m.busy > 0 {
		return &exportRefusal{Error: "a task of the machine is under way", Fault: "TaskInProgress"}
	}
	if m.isFrozen(a.disk) {
		return &exportRefusal{Error: "the disk is the base of a snapshot", Fault: "InvalidState"}
	}
	if holder := v.exports.writerOf(m, a.disk); holder != nil {
		age := time.Since(holder.openedAt)
		ms := age.Milliseconds()
		return &exportRefusal{Error: fmt.Sprintf("%s is locked by a writer since %s", a.File, age.Round(time.Millisecond)), Fault: "FileLocked", HolderAgeMs: &ms}
	}
	return nil
}

func (v *vcenter) newExport(m *machine, request exportRequest) *export {
	a := m.disk(request.DeviceKey)
	if a == nil {
		return nil
	}
	if request.Snapshot == nil {
		return &export{machine: m, disk: a, view: a.store.liveView(), capacity: a.capacity, writable: request.Mode == "write"}
	}
	for _, s := range m.present() {
		if f := a.freezeOf(s.Number); f != nil && s.ref.Value == *request.Snapshot {
			return &export{machine: m, disk: a, snapshot: s.ref, view: a.frozenView(f), capacity: f.CapacityBytes}
		}
	}
	return nil
}

func (v *vcenter) deleteExport(w http.ResponseWriter, r *http.Request) {
	if !v.exports.remove(r.PathValue("id")) {
		refuse(w, http.StatusNotFound, "unknown export")
		return
	}
	w.WriteHeader(http.StatusNoContent)
}
