package main

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/property"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"
)

func (g *ground) revertTo(ref types.ManagedObjectReference) (*object.Task, error) {
	response, err := methods.RevertToSnapshot_Task(g.ctx, g.client, &types.RevertToSnapshot_Task{This: ref})
	if err != nil {
		return nil, err
	}
	return object.NewTask(g.client, response.Returnval), nil
}

// properties reads some of the machine.
func (g *ground) properties(name string, paths ...string) mo.VirtualMachine {
	g.t.Helper()
	var vm mo.VirtualMachine
	if err := property.DefaultCollector(g.client).RetrieveOne(g.ctx, g.vm(name).Reference(), paths, &vm); err != nil {
		g.t.Fatal(err)
	}
	return vm
}

func TestARevertBringsBackBytesConfigurationAndPower(t *testing.T) {
	g := startGround(t, "", one("m", true, inventoryDisk{MiB: 1}, inventoryDisk{MiB: 1, Mode: "independent_persistent"}))
	vm, disks := g.vm("m"), g.info("m").Disks
	key, independent := disks[0].DeviceKey, disks[1].DeviceKey
	g.track(vm, true)
	g.write("m", key, 0, []byte("before"))
	g.write("m", independent, 0, []byte("before"))
	before := g.hash("m", key, "").SHA256
	ref := g.snapshot(vm, "safety")
	oldID := g.backing(ref, key).ChangeId
	g.write("m", key, 0, []byte("after"))
	g.write("m", independent, 0, []byte("after"))
	after := g.hash("m", independent, "").SHA256
	g.wait(vm.Reconfigure(g.ctx, types.VirtualMachineConfigSpec{Annotation: "new", NumCPUs: 7}))

	g.wait(g.revertTo(ref))
	if g.hash("m", key, "").SHA256 != before || g.hash("m", independent, "").SHA256 != after {
		t.Fatal("not the frozen bytes, or an independent disk went back too")
	}
	m := g.properties("m", "config", "runtime", "snapshot", "summary.config")
	if m.Runtime.PowerState != types.VirtualMachinePowerStatePoweredOff || m.Config.Annotation != "" || m.Config.Hardware.NumCPU != 1 || m.Summary.Config.NumCpu != 1 {
		t.Fatalf("%s, %q, %d CPUs", m.Runtime.PowerState, m.Config.Annotation, m.Config.Hardware.NumCPU)
	}
	if *m.Snapshot.CurrentSnapshot != ref {
		t.Fatal("the snapshot is not the current one")
	}
	if file := g.backing(vm.Reference(), key); file.FileName != "[LocalDS_0] m/m-000002.vmdk" || file.Parent == nil || file.ChangeId != "" {
		t.Fatalf("live file %+v", file)
	}
	_, err := g.query(vm, &ref, key, 0, oldID)
	expectFault(t, err, "FileFault")
	next := g.snapshot(vm, "next")
	_, err = g.query(vm, &next, key, 0, oldID)
	expectFault(t, err, "FileFault")
	if id := g.backing(next, key).ChangeId; id == "" || id == oldID {
		t.Fatalf("change id %q after the revert", id)
	}
	g.wait(vm.PowerOn(g.ctx))
	g.wait(vm.RevertToCurrentSnapshot(g.ctx, false))
	if g.info("m").PowerState != "poweredOff" {
		t.Fatal("still on")
	}
	g.remove(next)
	g.remove(ref)
	if file := g.backing(vm.Reference(), key); file.FileName != "[LocalDS_0] m/m.vmdk" || file.Parent != nil || g.hash("m", key, "").SHA256 != before {
		t.Fatalf("not consolidated: %+v", file)
	}
	g.expectTaskFault("call: types.ManagedObjectNotFound")(g.revertTo(ref))
}

func TestARevertWithMemoryEndsPoweredOnUnlessSuppressed(t *testing.T) {
	g := startGround(t, "", one("m", true, inventoryDisk{MiB: 1}))
	vm := g.vm("m")
	g.wait(vm.CreateSnapshot(g.ctx, "running", "", true, false))
	g.wait(vm.RevertToCurrentSnapshot(g.ctx, true))
	if g.info("m").PowerState != "poweredOff" {
		t.Fatal("on although suppressed")
	}
	g.wait(vm.RevertToCurrentSnapshot(g.ctx, false))
	if g.info("m").PowerState != "poweredOn" {
		t.Fatal("off although it was frozen running")
	}
}

// Random snapshots, reverts, removals and writes against a model that keeps whole disks.
func TestATreeOfSnapshotsKeepsEveryBranch(t *testing.T) {
	const capacity = 1 << 20
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	g := startGround(t, "", one("m", true, inventoryDisk{MiB: 1}))
	vm, key := g.vm("m"), g.info("m").Disks[0].DeviceKey
	kept := map[string]types.ManagedObjectReference{}
	hashes := map[string]string{}
	pick := func() string {
		names := slices.Sorted(maps.Keys(kept))
		if len(names) == 0 {
			return ""
		}
		return names[random.IntN(len(names))]
	}
	for step := range 40 {
		data := make([]byte, 1+random.IntN(100_000))
		newBytes(random.Uint64()).fill(data)
		g.write("m", key, random.Int64N(capacity-int64(len(data))), data)
		live := g.hash("m", key, "").SHA256
		switch chosen := pick(); {
		case chosen == "" || random.IntN(3) == 0:
			name := fmt.Sprintf("s%d", step)
			kept[name] = g.snapshot(vm, name)
			hashes[name] = live
		case random.IntN(2) == 0:
			g.wait(g.revertTo(kept[chosen]))
			if g.hash("m", key, "").SHA256 != hashes[chosen] {
				t.Fatalf("step %d: not the bytes of %s", step, chosen)
			}
			g.wait(vm.PowerOn(g.ctx))
		default:
			g.remove(kept[chosen])
			delete(kept, chosen)
			if g.hash("m", key, "").SHA256 != live {
				t.Fatalf("step %d: a removal changed the live disk", step)
			}
		}
		files := map[string]string{g.backing(vm.Reference(), key).FileName: "live"}
		for name, ref := range kept {
			if g.hash("m", key, name).SHA256 != hashes[name] {
				t.Fatalf("step %d: %s changed", step, name)
			}
			file := g.backing(ref, key).FileName
			if files[file] != "" {
				t.Fatalf("step %d: %s and %s are one file", step, files[file], name)
			}
			files[file] = name
		}
	}
	for name, ref := range kept {
		g.remove(ref)
		delete(kept, name)
	}
	if file := g.backing(vm.Reference(), key); file.FileName != "[LocalDS_0] m/m.vmdk" || file.Parent != nil {
		t.Fatalf("not consolidated: %+v", file)
	}
	for _, s := range g.v.machineNamed("m").Snapshots {
		if s.Held || !s.Removed {
			t.Fatalf("%+v", s)
		}
	}
}

func TestRemovingASnapshotWithItsChildrenMovesTheCurrentOneUp(t *testing.T) {
	g := startGround(t, "", one("m", true, inventoryDisk{MiB: 1}))
	vm, key := g.vm("m"), g.info("m").Disks[0].DeviceKey
	root := g.snapshot(vm, "root")
	middle := g.snapshot(vm, "middle")
	g.snapshot(vm, "leaf")
	response, err := methods.RemoveSnapshot_Task(g.ctx, g.client, &types.RemoveSnapshot_Task{This: middle, RemoveChildren: true})
	if err != nil {
		t.Fatal(err)
	}
	g.wait(object.NewTask(g.client, response.Returnval), nil)
	if m := g.properties("m", "snapshot"); *m.Snapshot.CurrentSnapshot != root {
		t.Fatalf("%+v", m.Snapshot)
	}
	if file := g.backing(vm.Reference(), key); file.FileName != "[LocalDS_0] m/m-000001.vmdk" {
		t.Fatalf("live file %s", file.FileName)
	}
	g.snapshot(vm, "again")
}

func TestASnapshotIsLabelledQuiescedOnlyWhenTheGuestWasQuiesced(t *testing.T) {
	g := startGround(t, "", one("m", true, inventoryDisk{MiB: 1}))
	vm := g.vm("m")
	tools := func(state string) {
		g.lab("POST", "guest/tools", map[string]string{"machine": "m", "tools": state}, nil)
	}
	quiesced := func(name string) bool {
		g.wait(vm.CreateSnapshot(g.ctx, name, "", false, true))
		var frozen []snapshot
		g.lab("GET", "frozen?machine=m", nil, &frozen)
		var label func(nodes []types.VirtualMachineSnapshotTree) bool
		label = func(nodes []types.VirtualMachineSnapshotTree) bool {
			for _, node := range nodes {
				if node.Name == name && node.Quiesced || label(node.ChildSnapshotList) {
					return true
				}
			}
			return false
		}
		shown := label(g.properties("m", "snapshot").Snapshot.RootSnapshotList)
		if last := frozen[len(frozen)-1]; last.Quiesced != shown {
			t.Fatalf("recorded %t, shown %t", last.Quiesced, shown)
		}
		return shown
	}
	if !quiesced("running") {
		t.Fatal("not labelled")
	}
	tools("failing")
	g.expectTaskFault("ApplicationQuiesceFault")(vm.CreateSnapshot(g.ctx, "failing", "", false, true))
	g.snapshot(vm, "crash-consistent")
	tools("missing")
	g.expectTaskFault("ToolsUnavailable")(vm.CreateSnapshot(g.ctx, "missing", "", false, true))
	expectFault(t, vm.ShutdownGuest(g.ctx), "ToolsUnavailable")
	if m := g.properties("m", "guest"); m.Guest.ToolsRunningStatus != "guestToolsNotRunning" {
		t.Fatal(m.Guest.ToolsRunningStatus)
	}
	g.wait(vm.PowerOff(g.ctx))
	if quiesced("off") {
		t.Fatal("a machine that is off was labelled quiesced")
	}
	tools("running")
	g.wait(vm.PowerOn(g.ctx))
	if !quiesced("again") {
		t.Fatal("not labelled after the tools came back")
	}
	if n := len(g.info("m").Snapshots); n != 4 {
		t.Fatalf("%d snapshots", n)
	}
}

func TestARevertBringsBackADetachedDiskAndDropsALaterOne(t *testing.T) {
	inventory := one("m", false, inventoryDisk{MiB: 1}, inventoryDisk{MiB: 1})
	g := startGround(t, "", inventory)
	vm, second := g.vm("m"), g.info("m").Disks[1].DeviceKey
	g.wait(vm.PowerOn(g.ctx))
	g.write("m", second, 0, []byte("of the second disk"))
	want := g.hash("m", second, "").SHA256
	g.wait(vm.PowerOff(g.ctx))
	ref := g.snapshot(vm, "two disks")
	if fault := g.edit("m", types.VirtualDeviceConfigSpecOperationRemove, "", &types.VirtualDisk{VirtualDevice: types.VirtualDevice{Key: second}}); fault != "" {
		t.Fatal(fault)
	}
	later := g.addDisk("m", 3)
	g.wait(g.revertTo(ref))
	disks := g.info("m").Disks
	if len(disks) != 2 || disks[1].DeviceKey != second || disks[1].CapacityBytes != 1<<20 || g.hash("m", second, "").SHA256 != want {
		t.Fatalf("%+v (added: %d)", disks, later)
	}
	again := g.afterKill(inventory)
	if again.hash("m", second, "").SHA256 != want || len(again.info("m").Disks) != 2 {
		t.Fatalf("after a restart: %+v", again.info("m").Disks)
	}
}
