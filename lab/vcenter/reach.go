package main

import (
	"cmp"
	"net/http"
	"slices"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/types"
)

type hostState struct {
	NotResponding bool `json:"notResponding"`
}

func (v *vcenter) hostNamed(name string) *simulator.HostSystem {
	for _, object := range v.reg.All("HostSystem") {
		if host := object.(*simulator.HostSystem); host.Name == name {
			return host
		}
	}
	return nil
}

func (v *vcenter) notResponding(host *simulator.HostSystem) bool {
	known := v.state.Hosts[host.Name]
	return known != nil && known.NotResponding
}

// outOfReach is why nothing can be done with the machine now; nil when its host and its datastores answer.
// The caller holds v.mu.
func (v *vcenter) outOfReach(m *machine) types.BaseMethodFault {
	if host, ok := v.reg.Get(types.ManagedObjectReference{Type: "HostSystem", Value: m.Host}).(*simulator.HostSystem); ok {
		if v.notResponding(host) {
			return &types.HostNotConnected{}
		}
	}
	files := []string{m.Home}
	for _, a := range m.disks {
		files = append(files, a.File)
	}
	for _, file := range files {
		if fault := v.inaccessible(file); fault != nil {
			return fault
		}
	}
	return nil
}

func (v *vcenter) inaccessible(file string) types.BaseMethodFault {
	name, _ := splitPath(file)
	if store := v.state.Datastores[name]; store != nil && store.Inaccessible {
		return &types.InaccessibleDatastore{InvalidDatastore: types.InvalidDatastore{Name: name}}
	}
	return nil
}

// unreachable refuses the calls that need host and datastore of a machine.
func (v *vcenter) unreachable(call *simulator.Method, entity types.ManagedObjectReference) types.BaseMethodFault {
	if needs[call.Name] == nil {
		return nil
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if m := v.byRef[entity]; m != nil {
		return v.outOfReach(m)
	}
	return nil
}

// showReach makes hosts, datastores and machines look as reachable as they are.
func (v *vcenter) showReach() {
	ctx := &simulator.Context{Map: v.reg}
	for _, object := range v.reg.All("Datastore") {
		store := object.(*simulator.Datastore)
		v.mu.Lock()
		accessible := v.inaccessible("["+store.Name+"]") == nil
		v.mu.Unlock()
		v.reg.AtomicUpdate(ctx, store, []types.PropertyChange{{Name: "summary.accessible", Val: accessible}})
	}
	for _, object := range v.reg.All("HostSystem") {
		host := object.(*simulator.HostSystem)
		state := types.HostSystemConnectionStateConnected
		v.mu.Lock()
		if v.notResponding(host) {
			state = types.HostSystemConnectionStateNotResponding
		}
		v.mu.Unlock()
		v.reg.AtomicUpdate(ctx, host, []types.PropertyChange{
			{Name: "runtime.connectionState", Val: state}, {Name: "summary.runtime.connectionState", Val: state},
		})
	}
	states := map[types.ManagedObjectReference]types.VirtualMachineConnectionState{}
	v.mu.Lock()
	for ref, m := range v.byRef {
		fault := v.outOfReach(m)
		m.cutOff.Store(fault != nil)
		switch fault.(type) {
		case nil:
			states[ref] = types.VirtualMachineConnectionStateConnected
		case *types.HostNotConnected:
			states[ref] = types.VirtualMachineConnectionStateDisconnected
		default:
			states[ref] = types.VirtualMachineConnectionStateInaccessible
		}
	}
	v.mu.Unlock()
	for ref, state := range states {
		if vm := v.reg.Get(ref); vm != nil {
			v.reg.AtomicUpdate(ctx, vm, []types.PropertyChange{
				{Name: "runtime.connectionState", Val: state}, {Name: "summary.runtime.connectionState", Val: state},
			})
		}
	}
}

// chooseHost places a machine on the connected host with the fewest machines; the first by name among equals.
func (v *vcenter) chooseHost() *types.ManagedObjectReference {
	var hosts []*simulator.HostSystem
	v.mu.Lock()
	for _, object := range v.reg.All("HostSystem") {
		host := object.(*simulator.HostSystem)
		if !v.notResponding(host) {
			hosts = append(hosts, host)
		}
	}
	load := map[string]int{}
	for _, m := range v.byRef {
		load[m.Host]++
	}
	v.mu.Unlock()
	if len(hosts) == 0 {
		return nil
	}
	chosen := slices.MinFunc(hosts, func(a, b *simulator.HostSystem) int {
		return cmp.Or(cmp.Compare(load[a.Self.Value], load[b.Self.Value]), cmp.Compare(a.Name, b.Name))
	})
	return &chosen.Self
}

func (v *vcenter) labHosts(w http.ResponseWriter, _ *http.Request) {
	type labHost struct {
		Name      string   `json:"name"`
		Connected bool     `json:"connected"`
		Machines  []string `json:"machines"`
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	out := []labHost{}
	for _, object := range v.reg.All("HostSystem") {
		host := object.(*simulator.HostSystem)
		shown := labHost{Name: host.Name, Connected: !v.notResponding(host), Machines: []string{}}
		for _, m := range v.byRef {
			if m.Host == host.Self.Value {
				shown.Machines = append(shown.Machines, m.name)
			}
		}
		slices.Sort(shown.Machines)
		out = append(out, shown)
	}
	slices.SortFunc(out, func(a, b labHost) int { return cmp.Compare(a.Name, b.Name) })
	answer(w, http.StatusOK, out)
}

func (v *vcenter) labHost(w http.ResponseWriter, r *http.Request) {
	var body struct {
		Host      string `json:"host"`
		Connected bool   `json:"connected"`
	}
	if !decode(w, r, &body) {
		return
	}
	if v.hostNamed(body.Host) == nil {
		refuse(w, http.StatusNotFound, "unknown host "+body.Host)
		return
	}
	v.mu.Lock()
	v.state.Hosts[body.Host] = &hostState{NotResponding: !body.Connected}
	v.save()
	v.mu.Unlock()
	v.showReach()
	w.WriteHeader(http.StatusNoContent)
}
