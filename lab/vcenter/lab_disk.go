package main

import (
	"context"
	"errors"
	"net/http"

	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/types"
)

var errNoDisk = errors.New("the disk did not appear")

// labAddDisk is an administrator who gives a machine another disk.
func (v *vcenter) labAddDisk(w http.ResponseWriter, r *http.Request) {
	var body struct {
		Machine string `json:"machine"`
		inventoryDisk
	}
	if !decode(w, r, &body) {
		return
	}
	m := v.labMachine(w, body.Machine)
	if m == nil {
		return
	}
	wanted := inventoryMachine{Name: body.Machine, Disks: []inventoryDisk{body.inventoryDisk}}
	if err := wanted.complete(); err != nil {
		refuse(w, http.StatusBadRequest, err.Error())
		return
	}
	if body.Datastore == "" {
		wanted.Disks[0].Datastore, _ = splitPath(m.Home)
	}
	key, err := v.addDisk(r.Context(), m, wanted.Disks[0])
	if err != nil {
		refuse(w, http.StatusConflict, err.Error())
		return
	}
	answer(w, http.StatusCreated, map[string]int32{"deviceKey": key})
}

func (v *vcenter) addDisk(ctx context.Context, m *machine, wanted inventoryDisk) (int32, error) {
	devices := object.VirtualDeviceList(v.reg.Get(m.ref).(*simulator.VirtualMachine).Config.Hardware.Device)
	controller, err := devices.FindDiskController("")
	if err != nil {
		return 0, err
	}
	virtual := devices.CreateDisk(controller, types.ManagedObjectReference{}, "")
	virtual.CapacityInBytes = wanted.MiB << 20
	flat := virtual.Backing.(*types.VirtualDiskFlatVer2BackingInfo)
	flat.FileName = "[" + wanted.Datastore + "]"
	virtual.Backing = wanted.backing(flat)
	before := v.keys(m)
	err = v.reconfigure(ctx, m, &types.VirtualDeviceConfigSpec{
		Operation: types.VirtualDeviceConfigSpecOperationAdd, FileOperation: types.VirtualDeviceConfigSpecFileOperationCreate, Device: virtual,
	})
	if err != nil {
		return 0, err
	}
	for key := range v.keys(m) {
		if before[key] {
			continue
		}
		v.mu.Lock()
		added := []*attached{m.disk(key)}
		v.mu.Unlock()
		err := fillDisks(m.name, added, []inventoryDisk{wanted})
		v.mu.Lock()
		defer v.mu.Unlock()
		v.save()
		return key, err
	}
	return 0, errNoDisk
}

func (v *vcenter) keys(m *machine) map[int32]bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	out := map[int32]bool{}
	for _, a := range m.disks {
		out[a.key] = true
	}
	return out
}

func (v *vcenter) reconfigure(ctx context.Context, m *machine, change types.BaseVirtualDeviceConfigSpec) error {
	task, err := object.NewVirtualMachine(v.client, m.ref).Reconfigure(ctx, types.VirtualMachineConfigSpec{
		DeviceChange: []types.BaseVirtualDeviceConfigSpec{change},
	})
	if err != nil {
		return err
	}
	return task.Wait(ctx)
}

// labGrowDisk is an administrator who makes a disk larger.
func (v *vcenter) labGrowDisk(w http.ResponseWriter, r *http.Request) {
	var body struct {
		Machine       string `json:"machine"`
		DeviceKey     int32  `json:"deviceKey"`
		CapacityBytes int64  `json:"capacityBytes"`
	}
	if !decode(w, r, &body) {
		return
	}
	m, a := v.labDisk(w, body.Machine, body.DeviceKey)
	if a == nil {
		return
	}
	if body.CapacityBytes <= a.capacity || body.CapacityBytes%1024 != 0 {
		refuse(w, http.StatusBadRequest, "capacityBytes is a multiple of 1024 and larger than now")
		return
	}
	err := v.reconfigure(r.Context(), m, &types.VirtualDeviceConfigSpec{
		Operation: types.VirtualDeviceConfigSpecOperationEdit,
		Device:    &types.VirtualDisk{VirtualDevice: types.VirtualDevice{Key: a.key}, CapacityInBytes: body.CapacityBytes},
	})
	if err != nil {
		refuse(w, http.StatusConflict, err.Error())
		return
	}
	w.WriteHeader(http.StatusNoContent)
}
