package main

import (
	"log"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"
)

// vcenter adds real disks to VMware's simulator. It is registered as a managed object of its own: methods the
// simulator lacks are sent to it (replacing the simulator's objects would make it panic), and it hears of every change.
//
// Lock order: the simulator's object locks, then stun, then mu, then those of the exports, then a store's own.
type vcenter struct {
	mo.ExtensibleManagedObject // searches of the simulator look for a type of package mo in every object

	reg       *simulator.Registry
	service   *simulator.Service
	client    *vim25.Client // of the practice controls: nobody's session, no injected fault
	stun      sync.RWMutex  // held for writing while a snapshot freezes all disks of a machine
	mu        sync.Mutex
	state     *state
	byRef     map[types.ManagedObjectReference]*machine
	gone      map[types.ManagedObjectReference]bool // the simulator updates a destroyed machine once more
	history   *history
	exports   *exports
	faults    *faults
	tasks     *expectations
	highest   atomic.Int64
	guests    *guests
	answering *answering
	tagging   tagging

	populating bool // one save at the end instead of thousands
	restoring  bool // what happens is no news: nothing is recorded
}

func newVCenter(service *simulator.Service, st *state, past *history, answers *answering) *vcenter {
	v := &vcenter{
		reg:       service.Context.Map,
		service:   service,
		state:     st,
		byRef:     map[types.ManagedObjectReference]*machine{},
		gone:      map[types.ManagedObjectReference]bool{},
		history:   past,
		exports:   newExports(past),
		faults:    newFaults(),
		tasks:     newExpectations(),
		answering: answers,
	}
	v.exports.setLease(time.Duration(st.WriteLeaseMs) * time.Millisecond)
	v.Self = types.ManagedObjectReference{Type: "PracticeDisks", Value: "practice-disks"}
	v.guests = newGuests(v)
	v.reg.Put(v)
	v.reg.AddHandler(v)
	v.reg.Handler = v.handle
	return v
}

func (v *vcenter) Reference() types.ManagedObjectReference { return v.Self }

// Lock and Unlock opt out of the simulator's lock: a call that waits for its machine must not hold up the others.
func (v *vcenter) Lock()   {}
func (v *vcenter) Unlock() {}

// handle runs before every SOAP call.
func (v *vcenter) handle(ctx *simulator.Context, call *simulator.Method) (mo.Reference, types.BaseMethodFault) {
	entity := v.entityOf(call.This)
	if isControl(ctx) {
		return nil, v.steer(ctx, call, entity)
	}
	if plan := v.faults.match(call, entity, v.entityName(entity)); plan != nil {
		switch {
		case ctx.Session == nil && !plan.task:
			return nil, plan.fault
		case ctx.Session != nil && plan.task:
			v.faults.failNextTask(entity, plan.fault)
		case ctx.Session != nil:
			call.This, call.Name, call.Body = v.Self, "RaiseFault", plan
			return nil, nil
		}
	}
	if ctx.Session != nil {
		if fault := v.denied(ctx.Session.UserName, call); fault != nil {
			return nil, fault
		}
		if fault := v.unreachable(call, entity); fault != nil {
			return nil, fault
		}
		if asksForDatastores(call.Body) {
			v.refreshSpace(ctx)
		}
	}
	switch call.Name {
	case "QueryChangedDiskAreas", "RefreshDatastore", "FetchUserPrivilegeOnEntities", "HasUserPrivilegeOnEntities", "HasPrivilegeOnEntities":
		call.This = v.Self
	case "LoginByToken", "LoginExtensionByCertificate", "ImpersonateUser":
		return nil, &types.InvalidLogin{}
	}
	return nil, v.steer(ctx, call, entity)
}

// isControl tells the controls' own calls from those of clients, which have logged in.
func isControl(ctx *simulator.Context) bool {
	return ctx.Session != nil && ctx.Session.UserName == ""
}

// steer sends the call through Steer when there is a rule for its method.
func (v *vcenter) steer(ctx *simulator.Context, call *simulator.Method, entity types.ManagedObjectReference) types.BaseMethodFault {
	if _, found := rules[call.Name]; found && ctx.Session != nil {
		call.Body = &steering{method: call.Name, this: call.This, entity: entity, body: call.Body}
		call.This, call.Name = v.Self, "Steer"
	}
	return nil
}

// entityOf is the object tasks of the call run on: the machine of a snapshot, else the object itself.
func (v *vcenter) entityOf(this types.ManagedObjectReference) types.ManagedObjectReference {
	if snap, ok := v.reg.Get(this).(*simulator.VirtualMachineSnapshot); ok {
		return snap.Vm
	}
	return this
}

func (v *vcenter) entityName(ref types.ManagedObjectReference) string {
	if m := v.machine(ref); m != nil {
		return m.name
	}
	if entity, ok := v.reg.Get(ref).(mo.Entity); ok {
		return entity.Entity().Name
	}
	return ""
}

func (v *vcenter) machine(ref types.ManagedObjectReference) *machine {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.byRef[ref]
}

func (v *vcenter) machineNamed(name string) *machine {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, m := range v.byRef {
		if m.name == name {
			return m
		}
	}
	return nil
}

// PutObject hears of new objects: snapshots freeze disks, tasks may be told to fail.
func (v *vcenter) PutObject(_ *simulator.Context, object mo.Reference) {
	v.highest.Store(max(v.highest.Load(), referenceNumber(object.Reference().Value)))
	switch o := object.(type) {
	case *simulator.Task:
		v.tasks.meet(o)
		v.faults.arm(o)
	case *simulator.VirtualMachineSnapshot:
		vm := v.reg.Get(o.Vm).(*simulator.VirtualMachine)
		v.stun.Lock()
		v.mu.Lock()
		defer v.stun.Unlock()
		defer v.mu.Unlock()
		v.takeSnapshot(v.byRef[o.Vm], &vm.VirtualMachine, o)
	}
}

// UpdateObject hears of every changed property while the machine is locked by its caller.
func (v *vcenter) UpdateObject(_ *simulator.Context, object mo.Reference, changes []types.PropertyChange) {
	vm, ok := object.(*mo.VirtualMachine)
	if !ok || vm.Config == nil || vm.Name == "" {
		return
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.gone[vm.Self] {
		return
	}
	m := v.know(vm)
	if m.name != vm.Name || m.uuid != vm.Config.InstanceUuid {
		m.name, m.uuid = vm.Name, vm.Config.InstanceUuid
	}
	news := false
	for _, change := range changes {
		switch change.Name {
		case "config.hardware.device":
			v.attachDisks(m, vm)
		case "runtime.powerState", "config.changeVersion":
			cycled := change.Name == "runtime.powerState"
			v.notePower(m, vm.Runtime.PowerState == types.VirtualMachinePowerStatePoweredOn)
			v.settleTracking(m, vm, cycled)
			v.describeGuest(m, vm)
			v.followGuest(m)
		case "snapshot", "snapshot.rootSnapshotList", "snapshot.currentSnapshot":
			v.followSnapshotTree(m, vm)
		case "name": // the simulator renames only the entity
			vm.Config.Name, vm.Summary.Config.Name = vm.Name, vm.Name
		case "config.extraConfig":
		default:
			continue
		}
		news = true
	}
	if news {
		v.record(m, vm)
		v.save()
	}
}

func (v *vcenter) notePower(m *machine, on bool) {
	changed := m.on.Swap(on) != on
	if v.restoring {
		return
	}
	if changed {
		v.history.power(m, on)
		v.exports.endGuest(m, nil)
	}
	m.PoweredOn = on
}

// RemoveObject hears of machines that leave the inventory; their disks stay until a new one takes the file name.
func (v *vcenter) RemoveObject(_ *simulator.Context, ref types.ManagedObjectReference) {
	v.mu.Lock()
	defer v.mu.Unlock()
	m := v.byRef[ref]
	if m == nil {
		return
	}
	v.exports.endMachine(m)
	for _, d := range m.disks {
		d.detach()
	}
	delete(v.byRef, ref)
	v.forgetGuest(m)
	v.gone[ref] = true
	delete(v.state.Machines, ref.Value)
	v.save()
	os.RemoveAll(v.state.configDir(ref.Value))
}

func (v *vcenter) save() {
	if v.populating || v.restoring {
		return
	}
	v.state.Highest = max(v.state.Highest, v.highest.Load())
	if err := v.state.save(); err != nil {
		log.Printf("state not saved: %v", err)
	}
}
