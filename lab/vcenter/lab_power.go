package main

import (
	"context"
	"net/http"
	"slices"
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
	if err == nil {
		err = task.Wait(ctx)
	}
	if err != nil {
		return err
	}
	return v.bootWrite(m)
}

// bootWrite changes a seeded block of each disk, as an operating system does when it starts. A database page stays valid.
func (v *vcenter) bootWrite(m *machine) error {
	v.mu.Lock()
	m.Boots++
	boot := uint64(m.Boots)
	disks := slices.Clone(m.disks)
	v.save()
	v.mu.Unlock()
	for _, a := range disks {
		t := v.targets(m, &a.key)[0]
		block := make([]byte, dbPageBytes)
		offset := t.at.Offset
		if t.paged {
			databasePage(block, 0, boot<<32)
		} else {
			seed := newBytes(boot<<32 | uint64(a.key))
			offset = int64(seed.next()%uint64(max(1, a.capacity/dbPageBytes))) * dbPageBytes
			seed.fill(block)
		}
		if err := v.guestWrite(m, a, block[:min(dbPageBytes, a.capacity-offset)], offset); err != nil {
			return err
		}
	}
	return nil
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
