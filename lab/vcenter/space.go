package main

import (
	"cmp"
	"net/http"
	"slices"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

// used is what the disks of each datastore take: a thin one its blocks, a thick one its size, and what snapshots keep.
// The caller holds v.mu.
func (v *vcenter) used() map[string]int64 {
	bytes := map[string]int64{}
	for _, d := range v.state.Disks {
		name, _ := splitPath(d.File)
		m := v.byRef[types.ManagedObjectReference{Type: "VirtualMachine", Value: d.Owner}]
		live := d.store.allocated()
		if m != nil {
			if a := m.disk(d.Key); a != nil && a.disk == d && !a.thin {
				live = a.capacity
			}
			live += m.keptBytes(d)
		}
		bytes[name] += live
	}
	return bytes
}

// keptBytes is what only snapshots hold of the disk.
func (m *machine) keptBytes(d *disk) int64 {
	var maps []int
	for _, s := range m.Snapshots {
		if f := d.freezeOf(s.Number); f != nil && (!s.Removed || s.Held) {
			maps = append(maps, f.Map)
		}
	}
	return d.store.keptOnlyBy(maps)
}

// refreshSpace shows the free space of now.
func (v *vcenter) refreshSpace(ctx *simulator.Context) {
	v.mu.Lock()
	used := v.used()
	capacity := map[string]int64{}
	for name, store := range v.state.Datastores {
		capacity[name] = store.CapacityBytes
	}
	v.mu.Unlock()
	for _, object := range v.reg.All("Datastore") {
		store := object.(*simulator.Datastore)
		free := max(0, capacity[store.Name]-used[store.Name])
		if store.Summary.FreeSpace == free && store.Summary.Capacity == capacity[store.Name] {
			continue
		}
		v.reg.WithLock(ctx, store, func() {
			store.Info.GetDatastoreInfo().FreeSpace = free
			ctx.Update(store, []types.PropertyChange{
				{Name: "summary.capacity", Val: capacity[store.Name]}, {Name: "summary.freeSpace", Val: free},
			})
		})
	}
}

func (v *vcenter) freeBytes(name string) int64 {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.state.Datastores[name].CapacityBytes - v.used()[name]
}

// asksForDatastores tells whether a call may read what refreshSpace shows.
func asksForDatastores(body any) bool {
	var specs []types.PropertyFilterSpec
	switch request := body.(type) {
	case *types.RetrieveProperties:
		specs = request.SpecSet
	case *types.RetrievePropertiesEx:
		specs = request.SpecSet
	case *types.CreateFilter:
		specs = []types.PropertyFilterSpec{request.Spec}
	}
	return slices.ContainsFunc(specs, func(spec types.PropertyFilterSpec) bool {
		return slices.ContainsFunc(spec.PropSet, func(p types.PropertySpec) bool { return p.Type == "Datastore" })
	})
}

// RefreshDatastore replaces the simulator's, which makes every datastore one of empty terabytes.
func (v *vcenter) RefreshDatastore(ctx *simulator.Context, _ *types.RefreshDatastore) soap.HasFault {
	v.refreshSpace(ctx)
	return &methods.RefreshDatastoreBody{Res: &types.RefreshDatastoreResponse{}}
}

type labDatastoreInfo struct {
	Name          string `json:"name"`
	CapacityBytes int64  `json:"capacityBytes"`
	FreeBytes     int64  `json:"freeBytes"`
	Accessible    bool   `json:"accessible"`
}

func (v *vcenter) labDatastores(w http.ResponseWriter, _ *http.Request) {
	v.mu.Lock()
	defer v.mu.Unlock()
	used, out := v.used(), []labDatastoreInfo{}
	for name, store := range v.state.Datastores {
		out = append(out, labDatastoreInfo{name, store.CapacityBytes, max(0, store.CapacityBytes-used[name]), !store.Inaccessible})
	}
	slices.SortFunc(out, func(a, b labDatastoreInfo) int { return cmp.Compare(a.Name, b.Name) })
	answer(w, http.StatusOK, out)
}

func (v *vcenter) labDatastore(w http.ResponseWriter, r *http.Request) {
	var body struct {
		Datastore     string `json:"datastore"`
		CapacityBytes *int64 `json:"capacityBytes"`
		FreeBytes     *int64 `json:"freeBytes"`
		Accessible    *bool  `json:"accessible"`
	}
	if !decode(w, r, &body) {
		return
	}
	v.mu.Lock()
	store := v.state.Datastores[body.Datastore]
	if store != nil {
		if body.CapacityBytes != nil {
			store.CapacityBytes = *body.CapacityBytes
		}
		if body.FreeBytes != nil {
			store.CapacityBytes = v.used()[body.Datastore] + *body.FreeBytes
		}
		if body.Accessible != nil {
			store.Inaccessible = !*body.Accessible
		}
		v.save()
	}
	v.mu.Unlock()
	if store == nil {
		refuse(w, http.StatusNotFound, "unknown datastore "+body.Datastore)
		return
	}
	v.showReach()
	v.refreshSpace(&simulator.Context{Map: v.reg})
	w.WriteHeader(http.StatusNoContent)
}
