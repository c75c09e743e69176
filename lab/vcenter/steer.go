package main

import (
	"log"
	"reflect"
	"runtime/debug"
	"strings"
	"sync"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

// steering is a call of a client on its way to the simulator.
type steering struct {
	ctx    *simulator.Context
	method string
	this   types.ManagedObjectReference
	entity types.ManagedObjectReference // the object whose lock and tasks the call takes
	body   any
	order  []int32 // keys of the machine's devices before it is reconfigured
}

// rule is what a method of the simulator needs to behave as a real vCenter's.
type rule struct {
	// prepare completes the request or refuses the call. It runs with the entity locked.
	prepare func(v *vcenter, s *steering) types.BaseMethodFault
	// guard refuses the work itself; for `…_Task` the task then ends in the fault. It runs with v.mu held, and from then
	// on until the work has ended no disk of the machine can be opened for writing.
	guard func(v *vcenter, m *machine, s *steering) types.BaseMethodFault
	// work replaces what the simulator would do in the task.
	work func(v *vcenter, m *machine, s *steering) types.BaseMethodFault
	// after runs when the work has succeeded.
	after func(v *vcenter, m *machine, s *steering)
}

// Steer carries out the simulator's own method under its rule: handle sends the call here.
func (v *vcenter) Steer(ctx *simulator.Context, s *steering) soap.HasFault {
	target := v.reg.Get(s.this)
	if target == nil {
		return &raised{Reason: simulator.Fault("", &types.ManagedObjectNotFound{Obj: s.this})}
	}
	s.ctx = ctx
	r := rules[s.method]
	var result soap.HasFault
	ctx.WithLock(v.lockable(s.entity, target), func() {
		if r.prepare != nil {
			if fault := r.prepare(v, s); fault != nil {
				result = &raised{Reason: simulator.Fault("", fault)}
				return
			}
		}
		if strings.HasSuffix(s.method, "_Task") {
			v.tasks.expect(s.entity, func(task *simulator.Task) { v.wrap(task, s, r) })
			defer v.tasks.forget(s.entity)
			result = invoke(target, s)
			return
		}
		m := v.machine(s.entity)
		if fault := v.begin(m, s, r); fault != nil {
			result = &raised{Reason: simulator.Fault("", fault)}
			return
		}
		defer v.end(m)
		result = invoke(target, s)
	})
	return result
}

func (v *vcenter) lockable(ref types.ManagedObjectReference, otherwise mo.Reference) mo.Reference {
	if object := v.reg.Get(ref); object != nil {
		return object
	}
	return otherwise
}

// invoke calls the method as the simulator does: `X_Task` is named `XTask`, the context may be left out.
func invoke(target mo.Reference, s *steering) soap.HasFault {
	method := reflect.ValueOf(target).MethodByName(strings.Replace(s.method, "_Task", "Task", 1))
	arguments := []reflect.Value{reflect.ValueOf(s.body)}
	if method.Type().NumIn() == 2 {
		arguments = append([]reflect.Value{reflect.ValueOf(s.ctx)}, arguments...)
	}
	return method.Call(arguments)[0].Interface().(soap.HasFault)
}

// wrap puts the rule around the work of a task.
func (v *vcenter) wrap(task *simulator.Task, s *steering, r rule) {
	work := task.Execute
	task.Execute = func(t *simulator.Task) (result types.AnyType, fault types.BaseMethodFault) {
		m := v.machine(s.entity)
		if fault := v.begin(m, s, r); fault != nil {
			return nil, fault
		}
		defer v.end(m)
		defer func() {
			if p := recover(); p != nil { // one bad request must not end the whole vCenter
				log.Printf("%s of %s: %v\n%s", s.method, s.this.Value, p, debug.Stack())
				result, fault = nil, &types.SystemError{Reason: s.method + " failed"}
			}
		}()
		if r.work != nil {
			return nil, r.work(v, m, s)
		}
		result, fault = work(t)
		if fault == nil && r.after != nil {
			r.after(v, m, s)
		}
		return result, fault
	}
}

func (v *vcenter) begin(m *machine, s *steering, r rule) types.BaseMethodFault {
	v.mu.Lock()
	defer v.mu.Unlock()
	if m == nil && s.entity.Type == "VirtualMachine" {
		return &types.ManagedObjectNotFound{Obj: s.entity}
	}
	if r.guard != nil {
		if fault := r.guard(v, m, s); fault != nil {
			return fault
		}
	}
	if m != nil {
		m.busy++
	}
	return nil
}

func (v *vcenter) end(m *machine) {
	if m == nil {
		return
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	m.busy--
}

// expectations hand the next task of an object to whoever is about to start it while holding the object's lock.
type expectations struct {
	mu   sync.Mutex
	next map[types.ManagedObjectReference]func(*simulator.Task)
}

func newExpectations() *expectations {
	return &expectations{next: map[types.ManagedObjectReference]func(*simulator.Task){}}
}

func (x *expectations) expect(entity types.ManagedObjectReference, wrap func(*simulator.Task)) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.next[entity] = wrap
}

func (x *expectations) forget(entity types.ManagedObjectReference) {
	x.mu.Lock()
	defer x.mu.Unlock()
	delete(x.next, entity)
}

func (x *expectations) meet(task *simulator.Task) {
	x.mu.Lock()
	wrap := x.next[*task.Info.Entity]
	delete(x.next, *task.Info.Entity)
	x.mu.Unlock()
	if wrap != nil {
		wrap(task)
	}
}
