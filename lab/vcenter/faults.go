package main

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

// faultRule makes matching calls end in a fault, or (TaskError) the task they start end in error.
type faultRule struct {
	Method      string   `json:"method"`
	ObjectType  string   `json:"objectType"`
	ObjectName  string   `json:"objectName"`
	FaultType   string   `json:"faultType"`
	Message     string   `json:"message"`
	Probability *float64 `json:"probability"`
	Skip        int      `json:"skip"`
	Count       int      `json:"count"` // 0: every matching call
	TaskError   bool     `json:"taskError"`
}

type plannedFault struct {
	fault   types.BaseMethodFault
	message string
	task    bool
}

type faults struct {
	mu      sync.Mutex
	rules   []*faultRule
	left    map[*faultRule]int
	delays  map[string]time.Duration
	pending map[types.ManagedObjectReference][]types.BaseMethodFault
}

func newFaults() *faults {
	return &faults{left: map[*faultRule]int{}, delays: map[string]time.Duration{}, pending: map[types.ManagedObjectReference][]types.BaseMethodFault{}}
}

func (f *faults) add(rule faultRule) error {
	if _, err := newFault(rule.FaultType, ""); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.rules = append(f.rules, &rule)
	f.left[&rule] = rule.Count
	return nil
}

func (f *faults) clear() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.rules = nil
	clear(f.left)
	clear(f.pending)
}

func (f *faults) match(call *simulator.Method, entity types.ManagedObjectReference, name string) *plannedFault {
	f.mu.Lock()
	delay := f.delays[call.Name]
	plan := f.choose(call, entity, name)
	f.mu.Unlock()
	time.Sleep(delay)
	return plan
}

func (f *faults) choose(call *simulator.Method, entity types.ManagedObjectReference, name string) *plannedFault {
	any := func(want string, have ...string) bool {
		return want == "" || want == "*" || slices.Contains(have, want)
	}
	for _, rule := range f.rules {
		if !any(rule.Method, call.Name) || !any(rule.ObjectType, call.This.Type, entity.Type) || !any(rule.ObjectName, name) {
			continue
		}
		if rule.TaskError && !strings.HasSuffix(call.Name, "_Task") {
			continue
		}
		if rule.Probability != nil && rand.Float64() >= *rule.Probability {
			continue
		}
		if rule.Skip > 0 {
			rule.Skip--
			continue
		}
		if rule.Count > 0 {
			if f.left[rule] == 0 {
				continue
			}
			f.left[rule]--
		}
		fault, _ := newFault(rule.FaultType, rule.Message)
		return &plannedFault{fault: fault, message: rule.Message, task: rule.TaskError}
	}
	return nil
}

func newFault(name, message string) (types.BaseMethodFault, error) {
	kind, ok := types.TypeFunc()(name)
	if ok {
		if fault, ok := reflect.New(kind).Interface().(types.BaseMethodFault); ok {
			if message != "" {
				fault.GetMethodFault().FaultMessage = []types.LocalizableMessage{{Key: "practice", Message: message}}
			}
			return fault, nil
		}
	}
	return nil, fmt.Errorf("%q is not a vim25 fault", name)
}

// RaiseFault is where handle sends a call that must fail.
func (v *vcenter) RaiseFault(_ *simulator.Context, plan *plannedFault) soap.HasFault {
	message := plan.message
	if message == "" {
		message = fmt.Sprintf("practice fault %T", plan.fault)
	}
	return &raised{Reason: simulator.Fault(message, plan.fault)}
}

type raised struct{ Reason *soap.Fault }

func (r *raised) Fault() *soap.Fault { return r.Reason }

func (f *faults) failNextTask(entity types.ManagedObjectReference, fault types.BaseMethodFault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.pending[entity] = append(f.pending[entity], fault)
}

// arm makes a task that was just created fail if one on its object has to.
func (f *faults) arm(task *simulator.Task) {
	f.mu.Lock()
	defer f.mu.Unlock()
	waiting := f.pending[*task.Info.Entity]
	if len(waiting) == 0 {
		return
	}
	f.pending[*task.Info.Entity] = waiting[1:]
	task.Execute = func(*simulator.Task) (types.AnyType, types.BaseMethodFault) { return nil, waiting[0] }
}

// taskNames are the tasks the simulator names otherwise than their method.
var taskNames = map[string]string{
	"CreateSnapshot_Task": "CreateSnapshotEx",
	"ReconfigVM_Task":     "ReconfigVm",
	"PowerOnVM_Task":      "PowerOn",
	"PowerOffVM_Task":     "PowerOff",
	"CreateVM_Task":       "CreateVm",
}

// delay makes calls slow and, for `…_Task` methods, the task instead of the call. The simulator reads its one setting
// for tasks without a lock, so the map is replaced whole and never changed.
func (f *faults) delay(milliseconds map[string]int) {
	tasks, calls := map[string]int{"LockHandoff": 0}, map[string]time.Duration{}
	for method, ms := range milliseconds {
		if task, isTask := strings.CutSuffix(method, "_Task"); !isTask {
			calls[method] = time.Duration(ms) * time.Millisecond
		} else if other := taskNames[method]; other != "" {
			tasks[other] = ms
		} else {
			tasks[task] = ms
		}
	}
	simulator.TaskDelay.MethodDelay = tasks
	f.mu.Lock()
	defer f.mu.Unlock()
	f.delays = calls
}
