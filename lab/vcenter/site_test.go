package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/vmware/govmomi/event"
	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/property"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

func (g *ground) datastore(name string) mo.Datastore {
	g.t.Helper()
	found, err := g.finder().Datastore(g.ctx, name)
	if err != nil {
		g.t.Fatal(err)
	}
	var store mo.Datastore
	if err := property.DefaultCollector(g.client).RetrieveOne(g.ctx, found.Reference(), []string{"summary", "info"}, &store); err != nil {
		g.t.Fatal(err)
	}
	return store
}

func TestFreeSpaceFollowsWhatTheMachinesUse(t *testing.T) {
	inventory := one("m", true, inventoryDisk{MiB: 8})
	g := startGround(t, "", inventory)
	vm, key := g.vm("m"), g.info("m").Disks[0].DeviceKey
	used := func(name string) int64 {
		summary := g.datastore(name).Summary
		return (summary.Capacity - summary.FreeSpace) / blockBytes
	}
	expect := func(what string, blocks int64) {
		t.Helper()
		if got := used("LocalDS_0"); got != blocks {
			t.Fatalf("%s: %d blocks used instead of %d", what, got, blocks)
		}
	}
	expect("an empty thin disk", 0)
	g.write("m", key, 0, make([]byte, 3*blockBytes))
	expect("three blocks written", 3)
	ref := g.snapshot(vm, "s")
	expect("frozen", 3)
	g.write("m", key, 0, make([]byte, 2*blockBytes))
	expect("two blocks written below a snapshot", 5)
	g.wait(g.revertTo(ref))
	expect("reverted", 3)
	g.remove(ref)
	expect("consolidated", 3)
	g.lab("POST", "datastore", map[string]any{"datastore": "LocalDS_0", "freeBytes": 1 << 20}, nil)
	if store := g.datastore("LocalDS_0"); store.Summary.FreeSpace != 1<<20 || store.Info.GetDatastoreInfo().FreeSpace != 1<<20 {
		t.Fatalf("%d bytes free", store.Summary.FreeSpace)
	}
	thick := g.homecomer("thick", "LocalDS_0", 2)
	thick.DeviceChange[1].GetVirtualDeviceConfigSpec().Device.(*types.VirtualDisk).Backing.(*types.VirtualDiskFlatVer2BackingInfo).ThinProvisioned = types.NewBool(false)
	if fault := g.taskFault(g.create(thick)); !strings.HasSuffix(fault, "NoDiskSpace") {
		t.Fatalf("thick disk without room: %q", fault)
	}
	g.wait(g.create(g.homecomer("thin", "LocalDS_0", 2)))
	again := g.afterKill(inventory)
	if got := again.datastore("LocalDS_0").Summary.FreeSpace; got != 1<<20 {
		t.Fatalf("%d bytes free after a restart", got)
	}
	g.wait(vm.Destroy(g.ctx))
	expect("destroyed", 0)
}

func TestWhatIsOutOfReachIsRefused(t *testing.T) {
	inventory := []inventoryMachine{one("m", true, inventoryDisk{MiB: 1}, inventoryDisk{MiB: 1, Datastore: "LocalDS_1"}), one("other", true, inventoryDisk{MiB: 1})}
	g := startGround(t, "", inventory...)
	vm, key := g.vm("m"), g.info("m").Disks[0].DeviceKey
	ref := g.snapshot(vm, "s")
	read := map[string]any{"machine": vm.Reference().Value, "snapshot": ref.Value, "deviceKey": key, "mode": "read"}
	c := g.export(201, read)
	state := func(name string) string { return string(g.properties(name, "runtime").Runtime.ConnectionState) }

	g.lab("POST", "datastore", map[string]any{"datastore": "LocalDS_1", "accessible": false}, nil)
	if g.datastore("LocalDS_1").Summary.Accessible || state("m") != "inaccessible" || state("other") != "connected" {
		t.Fatalf("m is %s, other %s", state("m"), state("other"))
	}
	_, err := vm.PowerOff(g.ctx)
	expectFault(t, err, "InaccessibleDatastore")
	g.export(409, read)
	if _, err := c.get(0, 1); err == nil {
		t.Fatal("read from a datastore that is out of reach")
	}
	if fault := g.taskFault(g.create(g.homecomer("home", "LocalDS_1", 1))); !strings.HasSuffix(fault, "InaccessibleDatastore") {
		t.Fatal(fault)
	}
	again := g.afterKill(inventory...)
	if got := again.properties("m", "runtime").Runtime.ConnectionState; got != "inaccessible" {
		t.Fatalf("%s after a restart", got)
	}
	g.lab("POST", "datastore", map[string]any{"datastore": "LocalDS_1", "accessible": true}, nil)
	if _, err := c.get(0, 1); err != nil || state("m") != "connected" {
		t.Fatalf("back again: %s, %v", state("m"), err)
	}

	var hosts []struct {
		Name      string
		Connected bool
		Machines  []string
	}
	g.lab("GET", "hosts", nil, &hosts)
	if len(hosts) != 3 || fmt.Sprint(hosts[0].Machines, hosts[1].Machines) != "[m] [other]" {
		t.Fatalf("%+v", hosts)
	}
	for _, host := range hosts {
		g.lab("POST", "host", map[string]any{"host": host.Name, "connected": false}, nil)
		_, err := vm.PowerOff(g.ctx)
		expectFault(t, err, "HostNotConnected")
	}
	if fault := g.taskFault(g.create(g.homecomer("home", "LocalDS_1", 1))); !strings.HasSuffix(fault, "HostNotConnected") {
		t.Fatal(fault)
	}
	g.lab("POST", "host", map[string]any{"host": hosts[2].Name, "connected": true}, nil)
	g.wait(g.create(g.homecomer("home", "LocalDS_1", 1)))
	if state("m") != "disconnected" || state("home") != "connected" {
		t.Fatalf("m is %s, home %s", state("m"), state("home"))
	}
}

func TestAPrivilegeThatIsMissingIsNamed(t *testing.T) {
	inventory := one("m", false, inventoryDisk{MiB: 1})
	g := startGround(t, "", inventory)
	vm, key := g.vm("m"), g.info("m").Disks[0].DeviceKey
	manager := object.NewAuthorizationManager(g.client)
	missing := func(ids ...string) {
		g.lab("POST", "privileges", map[string]any{"user": "practice", "missing": ids}, nil)
	}
	granted := func(user, id string) bool {
		answer, err := methods.HasUserPrivilegeOnEntities(g.ctx, g.client, &types.HasUserPrivilegeOnEntities{
			This: manager.Reference(), Entities: []types.ManagedObjectReference{vm.Reference()}, UserName: user, PrivId: []string{id},
		})
		if err != nil {
			t.Fatal(err)
		}
		fetched, err := manager.FetchUserPrivilegeOnEntities(g.ctx, []types.ManagedObjectReference{vm.Reference()}, user)
		if err != nil {
			t.Fatal(err)
		}
		has := answer.Returnval[0].PrivAvailability[0].IsGranted
		for _, one := range fetched[0].Privileges {
			if one == id {
				return has
			}
		}
		if has {
			t.Fatalf("%s: one question granted, the other denied", id)
		}
		return false
	}
	annotate := types.VirtualMachineConfigSpec{Annotation: "note"}
	for _, try := range []struct {
		id   string
		call func() error
	}{
		{"VirtualMachine.Interact.PowerOn", func() error { _, err := vm.PowerOn(g.ctx); return err }},
		{"VirtualMachine.State.CreateSnapshot", func() error { _, err := vm.CreateSnapshot(g.ctx, "s", "", false, false); return err }},
		{"VirtualMachine.Config.Annotation", func() error { _, err := vm.Reconfigure(g.ctx, annotate); return err }},
		{"VirtualMachine.Inventory.Create", func() error { _, err := g.create(g.homecomer("home", "LocalDS_0", 1)); return err }},
		{"Network.Assign", func() error { _, err := g.create(g.homecomer("home", "LocalDS_0", 1)); return err }},
		{"VirtualMachine.Inventory.Delete", func() error { _, err := vm.Destroy(g.ctx); return err }},
		{"VirtualMachine.Provisioning.DiskRandomRead", func() error { _, err := g.query(vm, nil, key, 0, "*"); return err }},
	} {
		if !granted("practice", try.id) {
			t.Fatalf("%s is missing from the start", try.id)
		}
		missing(try.id, "Some.Other")
		if granted("practice", try.id) || !granted("somebody", try.id) {
			t.Fatalf("%s", try.id)
		}
		err := try.call()
		expectFault(t, err, "NoPermission")
		fault := soap.ToSoapFault(err).VimFault().(types.NoPermission)
		if fault.PrivilegeId != try.id || fmt.Sprint(fault.MissingPrivileges[0].PrivilegeIds) != "["+try.id+"]" {
			t.Fatalf("%+v", fault)
		}
	}
	missing("VirtualMachine.Provisioning.DiskRandomAccess")
	g.export(403, map[string]any{"machine": vm.Reference().Value, "deviceKey": key, "mode": "write"})
	g.export(201, map[string]any{"machine": vm.Reference().Value, "deviceKey": key, "mode": "read"})
	again := g.afterKill(inventory)
	again.export(403, map[string]any{"machine": vm.Reference().Value, "deviceKey": key, "mode": "write"})
	missing()
	g.export(201, map[string]any{"machine": vm.Reference().Value, "deviceKey": key, "mode": "write"})
}

func TestAMachineStartedBehindOurBackWritesAndIsSeen(t *testing.T) {
	g := startGround(t, "", one("m", false, inventoryDisk{MiB: 16, Filesystem: "ext4", Seed: 5}, inventoryDisk{MiB: 1}))
	vm, disks := g.vm("m"), g.info("m").Disks
	g.track(vm, true)
	before := g.snapshot(vm, "before")
	on := map[string]any{"machine": "m", "state": "poweredOn"}
	g.lab("POST", "power", on, nil)
	g.lab("POST", "power", on, nil) // on already: nothing happens
	after := g.snapshot(vm, "after")
	for _, d := range disks {
		areas, _ := g.changed(vm, after, d.DeviceKey, d.CapacityBytes, g.backing(before, d.DeviceKey).ChangeId)
		if len(areas) != 1 {
			t.Fatalf("disk %d: %+v", d.DeviceKey, areas)
		}
	}
	m := g.v.machineNamed("m")
	checkExt4(t, m.disks[0].store.liveView(), m.disks[0].capacity)
	g.lab("POST", "power", map[string]any{"machine": "m", "state": "poweredOff"}, nil)
	if power := g.history("m").Power; len(power) != 2 || !power[0].On || power[1].On || power[1].AtMs < power[0].AtMs {
		t.Fatalf("%+v", power)
	}
	events, err := event.NewManager(g.client).QueryEvents(g.ctx, types.EventFilterSpec{
		Entity: &types.EventFilterSpecByEntity{Entity: vm.Reference(), Recursion: types.EventFilterSpecRecursionOptionSelf}, EventTypeId: []string{"VmPoweredOnEvent"},
	})
	if err != nil || len(events) != 1 {
		t.Fatalf("%d events of a power-on: %v", len(events), err)
	}
}

func TestDisksOfOthersAreAddedAndGrown(t *testing.T) {
	g := startGround(t, "", one("m", true, inventoryDisk{MiB: 1}))
	var added struct{ DeviceKey int32 }
	g.lab("POST", "disk/add", map[string]any{"machine": "m", "mib": 16, "filesystem": "ext4", "seed": 2}, &added)
	m := g.v.machineNamed("m")
	if a := m.disk(added.DeviceKey); a == nil || a.capacity != 16<<20 || len(a.Database) == 0 {
		t.Fatalf("%+v", g.info("m").Disks)
	} else {
		checkExt4(t, a.store.liveView(), a.capacity)
	}
	g.lab("POST", "disk/grow", map[string]any{"machine": "m", "deviceKey": added.DeviceKey, "capacityBytes": 32 << 20}, nil)
	disks := g.info("m").Disks
	if len(disks) != 2 || disks[1].DeviceKey != added.DeviceKey || disks[1].CapacityBytes != 32<<20 {
		t.Fatalf("%+v", disks)
	}
	g.snapshot(g.vm("m"), "s")
	if status, _ := g.call("POST", "/_lab/disk/grow", map[string]any{"machine": "m", "deviceKey": added.DeviceKey, "capacityBytes": 64 << 20}, nil); status != 409 {
		t.Fatalf("grown below a snapshot: %d", status)
	}
}

func TestAWorkloadCountsTheBlocksItChangedAndFindsItsDatabaseAgain(t *testing.T) {
	g := startGround(t, "", one("m", true, inventoryDisk{MiB: 16, Filesystem: "ext4", Seed: 3}))
	g.wait(g.create(g.homecomer("home", "LocalDS_0", 16)))
	from, to := g.v.machineNamed("m").disks[0], g.v.machineNamed("home").disks[0]
	whole := make([]byte, from.capacity)
	if err := from.store.liveView().readAt(whole, 0); err != nil {
		t.Fatal(err)
	}
	if err := to.store.write(whole, 0); err != nil {
		t.Fatal(err)
	}
	g.wait(g.vm("home").PowerOn(g.ctx))
	var facts struct{ Bytes, Pages, ChangedBytes int64 }
	g.lab("POST", "guest/workload", map[string]any{"machine": "home", "seed": 9, "bytesPerSecond": 64 << 20}, nil)
	eventually(t, "pages are written twice", func() bool {
		g.lab("GET", "guest/workload?machine=home", nil, &facts)
		return facts.Bytes > facts.ChangedBytes
	})
	g.lab("DELETE", "guest/workload?machine=home", nil, &facts)
	if fmt.Sprint(to.Database) != fmt.Sprint(from.Database) {
		t.Fatalf("found %v instead of %v", to.Database, from.Database)
	}
	checkExt4(t, to.store.liveView(), to.capacity)
	changed := int64(0)
	now := make([]byte, dbPageBytes)
	for at := int64(0); at < to.capacity; at += dbPageBytes {
		if err := to.store.liveView().readAt(now, at); err != nil {
			t.Fatal(err)
		}
		if string(now) != string(whole[at:at+dbPageBytes]) {
			changed += dbPageBytes
		}
	}
	if facts.ChangedBytes != changed {
		t.Fatalf("%d bytes changed, %d reported", changed, facts.ChangedBytes)
	}
}
