package main

import (
	"net/http"

	"github.com/vmware/govmomi/vim25/types"
)

// What VMware Tools in a guest can do; "" is running.
const (
	toolsRunning  = "running"
	toolsFailing  = "failing" // they run, but quiescing ends in a fault
	toolsNotThere = "missing"
)

// quiesceFault is what a quiesced snapshot of a running machine ends in; nil when the guest goes along.
func quiesceFault(m *machine) types.BaseMethodFault {
	switch {
	case !m.on.Load():
		return nil // nothing to quiesce: the snapshot is not labelled so
	case m.Tools == toolsFailing:
		return &types.ApplicationQuiesceFault{}
	case m.Tools == toolsNotThere:
		return &types.ToolsUnavailable{}
	}
	return nil
}

func guardSnapshot(v *vcenter, m *machine, s *steering) types.BaseMethodFault {
	if fault := refuseWhileWritten(v, m, s); fault != nil {
		return fault
	}
	quiesce := false
	switch body := s.body.(type) {
	case *types.CreateSnapshot_Task:
		quiesce = body.Quiesce
	case *types.CreateSnapshotEx_Task:
		quiesce = body.QuiesceSpec != nil
	}
	if quiesce {
		return quiesceFault(m)
	}
	return nil
}

func guardGuest(_ *vcenter, m *machine, _ *steering) types.BaseMethodFault {
	if m.on.Load() && m.Tools == toolsNotThere {
		return &types.ToolsUnavailable{}
	}
	return nil
}

func (v *vcenter) labTools(w http.ResponseWriter, r *http.Request) {
	var body struct {
		Machine string `json:"machine"`
		Tools   string `json:"tools"`
	}
	if !decode(w, r, &body) {
		return
	}
	m := v.labMachine(w, body.Machine)
	if m == nil {
		return
	}
	if body.Tools != toolsRunning && body.Tools != toolsFailing && body.Tools != toolsNotThere {
		refuse(w, http.StatusBadRequest, "tools is running, failing or missing")
		return
	}
	v.changeGuest(m, func() { m.Tools = body.Tools })
	w.WriteHeader(http.StatusNoContent)
}
