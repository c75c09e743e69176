package main

import (
	"context"
	"net/http"
	"time"

	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/types"
)

func (v *vcenter) labPower(w http.ResponseWriter, r *http.Request) {
	var body struct {
		Machine             string `json:"machine"`
		State               string `json:"state"`
		Force               bool   `json:"force"`
		ResetChangeTracking bool   `json:"resetChangeTracking"`
	}
	if !decode(w, r, &body) {
		return
	}
	m := v.labMachine(w, body.Machine)
	if m == nil {
		return
	}
	switch body.State {
	case "poweredOff":
		v.setPower(m, false)
	case "poweredOn":
		if body.Force {
			v.exports.breakLocks(m)
		}
		if err := v.pressButton(r.Context(), m); err != nil {
			refuse(w, http.StatusConflict, err.Error())
			return
		}
	default:
		refuse(w, http.StatusBadRequest, "state is poweredOn or poweredOff")
		return
	}
	if body.ResetChangeTracking {
		v.forgetTracking(m)
	}
	answer(w, http.StatusOK, map[string]string{"powerState": body.State})
}

// pressButton starts the machine as somebody at its console does: a disk that is being written stays locked.
func (v *vcenter) pressButton(ctx context.Context, m *machine) error {
	if m.on.Load() {
		return nil
	}
	task, err := object.NewVirtualMachine(v.client, m.ref).PowerOn(ctx)
	if err != nil {
		return err
	}
	return task.Wait(ctx)
}

// setPower is a power cut, or the state of before a restart: no guest has a say.
func (v *vcenter) setPower(m *machine, on bool) {
	state, boot := types.VirtualMachinePowerStatePoweredOff, types.AnyType(nil)
	if on {
		state, boot = types.VirtualMachinePowerStatePoweredOn, time.Now()
	}
	v.reg.AtomicUpdate(&simulator.Context{Map: v.reg}, v.reg.Get(m.ref), []types.PropertyChange{
		{Name: "runtime.powerState", Val: state},
		{Name: "summary.runtime.powerState", Val: state},
		{Name: "summary.runtime.bootTime", Val: boot},
	})
}
