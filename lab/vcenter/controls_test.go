package main

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"hash/crc32"
	"net/url"
	"os"
	"testing"
	"time"

	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/property"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"
)

// eventually polls a level until it holds.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within 10 s: %s", what)
		}
	}
}

func TestOnlyTheGivenUserMayLogIn(t *testing.T) {
	g := startGround(t, "", one("m", true, inventoryDisk{MiB: 1}))
	for _, pair := range []*url.Userinfo{url.UserPassword("practice", "wrong"), url.UserPassword("other", g.password())} {
		password, _ := pair.Password()
		_, err := g.login(pair.Username(), password)
		expectFault(t, err, "InvalidLogin")
	}
}

func TestTheInventoryShowsWhatWasAskedFor(t *testing.T) {
	const huge = 9216 << 10 // MiB: 9,216 GiB
	g := startGround(t, "",
		inventoryMachine{Name: "efi", Folder: "prod/web", Firmware: "efi", CPUs: 3, MemoryMiB: 512, PoweredOn: true, Snapshots: []string{"one", "two"},
			Disks: []inventoryDisk{{MiB: huge}, {MiB: 1, Backing: "rdmPhysical"}, {MiB: 1, Backing: "rdmVirtual"}, {MiB: 1, Shared: true}}},
		one("off", false, inventoryDisk{MiB: 1}))
	var vm, off mo.VirtualMachine
	collector := property.DefaultCollector(g.client)
	for name, into := range map[string]*mo.VirtualMachine{"efi": &vm, "off": &off} {
		if err := collector.RetrieveOne(g.ctx, g.vm(name).Reference(), []string{"config", "guest", "runtime", "snapshot"}, into); err != nil {
			t.Fatal(err)
		}
	}
	if vm.Config.Firmware != "efi" || vm.Config.Hardware.NumCPU != 3 || vm.Config.Hardware.MemoryMB != 512 {
		t.Fatalf("%+v", vm.Config.Hardware)
	}
	if vm.Config.InstanceUuid == off.Config.InstanceUuid || vm.Config.Uuid == off.Config.Uuid {
		t.Fatal("uuids are not unique")
	}
	found, err := object.NewSearchIndex(g.client).FindByUuid(g.ctx, nil, off.Config.InstanceUuid, true, types.NewBool(true))
	if err != nil || found.Reference() != g.vm("off").Reference() {
		t.Fatalf("found %v by uuid: %v", found, err)
	}
	if g.client.ServiceContent.About.ApiVersion != "8.0.2.0" || vm.Snapshot.CurrentSnapshot == nil || vm.Guest.HostName != "efi" {
		t.Fatal("api version, snapshots or guest")
	}
	disks := g.info("efi").Disks
	if disks[0].CapacityBytes != huge<<20 || disks[1].Backing != "rdmPhysical" || disks[2].Backing != "rdmVirtual" || disks[3].Backing != "shared" {
		t.Fatalf("%+v", disks)
	}
	var controllers, cards int
	for _, device := range vm.Config.Hardware.Device {
		switch d := device.(type) {
		case *types.ParaVirtualSCSIController:
			controllers++
		case *types.VirtualVmxnet3:
			if d.MacAddress != "" {
				cards++
			}
		}
	}
	if controllers != 1 || cards != 1 {
		t.Fatalf("%d pvscsi controllers, %d cards", controllers, cards)
	}
	g.write("efi", disks[0].DeviceKey, huge<<20-5, []byte("tail!"))
}

func TestFaultsHitCallsAndTasksAsOftenAsAsked(t *testing.T) {
	g := startGround(t, "", one("m", true, inventoryDisk{MiB: 1}), one("other", true, inventoryDisk{MiB: 1}))
	vm, other := g.vm("m"), g.vm("other")
	g.lab("POST", "faults", map[string]any{"method": "CreateSnapshot_Task", "objectName": "m", "faultType": "TaskInProgress", "message": "busy", "skip": 1, "count": 2}, nil)
	g.snapshot(vm, "skipped")
	for range 2 {
		_, err := vm.CreateSnapshot(g.ctx, "refused", "", false, false)
		expectFault(t, err, "TaskInProgress")
	}
	g.snapshot(other, "of another machine")
	ref := g.snapshot(vm, "after")
	g.lab("POST", "faults", map[string]any{"method": "RemoveSnapshot_Task", "faultType": "FileLocked", "count": 1, "taskError": true}, nil)
	task, err := vm.RemoveSnapshot(g.ctx, "after", false, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := task.Wait(g.ctx); err == nil {
		t.Fatal("the task did not fail")
	}
	if got := len(g.info("m").Snapshots); got != 2 {
		t.Fatalf("%d snapshots", got)
	}
	g.remove(ref)
	g.lab("POST", "faults", map[string]any{"method": "*", "faultType": "NotAuthenticated"}, nil)
	_, err = vm.PowerOff(g.ctx)
	expectFault(t, err, "NotAuthenticated")
	g.lab("DELETE", "faults", nil, nil)
	g.wait(vm.PowerOff(g.ctx))
	if status, _ := g.call("POST", "/_lab/faults", map[string]any{"method": "*", "faultType": "Nonsense"}, nil); status != 400 {
		t.Fatal("an unknown fault was taken")
	}
}

func TestASlowTaskLeavesItsMachineReadable(t *testing.T) {
	g := startGround(t, "", one("m", true, inventoryDisk{MiB: 1}))
	t.Cleanup(func() { g.lab("POST", "delays", map[string]any{}, nil) })
	g.lab("POST", "delays", map[string]any{"methods": map[string]int{"CreateSnapshot_Task": 120_000}}, nil)
	vm := g.vm("m")
	task, err := vm.CreateSnapshot(g.ctx, "slow", "", false, false)
	if err != nil {
		t.Fatal(err)
	}
	var running mo.Task
	var machine mo.VirtualMachine
	collector := property.DefaultCollector(g.client)
	if err := collector.RetrieveOne(g.ctx, vm.Reference(), []string{"name", "snapshot"}, &machine); err != nil {
		t.Fatal(err)
	}
	if err := collector.RetrieveOne(g.ctx, task.Reference(), []string{"info"}, &running); err != nil {
		t.Fatal(err)
	}
	if running.Info.State != types.TaskInfoStateRunning || machine.Name != "m" || machine.Snapshot != nil {
		t.Fatalf("%s, %+v", running.Info.State, machine.Snapshot)
	}
}

func TestKilledSessionsMustLogInAgain(t *testing.T) {
	g := startGround(t, "", one("m", true, inventoryDisk{MiB: 1}))
	vm := g.vm("m")
	g.lab("POST", "sessions/kill", nil, nil)
	_, err := vm.PowerOff(g.ctx)
	expectFault(t, err, "NotAuthenticated")
}

func TestTheCertificateOutlivesARestartUntilItIsRotated(t *testing.T) {
	dir := t.TempDir()
	first := startGround(t, dir, one("m", true, inventoryDisk{MiB: 1}))
	first.close()
	g := startGround(t, dir, one("m", true, inventoryDisk{MiB: 1}))
	if first.ready.CertificateSHA256 != g.ready.CertificateSHA256 {
		t.Fatal("a new certificate after a restart")
	}
	pool := x509.NewCertPool()
	raw, err := os.ReadFile(g.ready.CertificateFile)
	if err != nil || !pool.AppendCertsFromPEM(raw) {
		t.Fatal("no certificate file")
	}
	u, _ := url.Parse(g.ready.URL)
	dial := func() error {
		conn, err := tls.Dial("tcp", u.Host, &tls.Config{RootCAs: pool})
		if err == nil {
			conn.Close()
		}
		return err
	}
	if err := dial(); err != nil {
		t.Fatal(err)
	}
	var rotated map[string]string
	g.lab("POST", "certificate/rotate", nil, &rotated)
	if dial() == nil || rotated["certificateSha256"] == g.ready.CertificateSHA256 {
		t.Fatal("still the old certificate")
	}
	if block, _ := pem.Decode(raw); block == nil {
		t.Fatal("not PEM")
	}
}

func TestAWorkloadKeepsFileSystemAndPagesValid(t *testing.T) {
	g := startGround(t, "", one("m", true, inventoryDisk{MiB: 32, Filesystem: "ext4", Seed: 3}))
	vm, key := g.vm("m"), g.info("m").Disks[0].DeviceKey
	pages := func() int64 {
		var w struct{ Pages int64 }
		g.lab("GET", "guest/workload?machine=m", nil, &w)
		return w.Pages
	}
	g.lab("POST", "guest/workload", map[string]any{"machine": "m", "seed": 1, "bytesPerSecond": 4 << 20, "blockBytes": 8192}, nil)
	eventually(t, "pages are written", func() bool { return pages() > 100 })
	g.snapshot(vm, "s")
	g.lab("POST", "power", map[string]string{"machine": "m", "state": "poweredOff"}, nil)
	if status, _ := g.call("POST", "/_lab/guest/write", map[string]any{"machine": "m", "deviceKey": key, "hex": "00"}, nil); status != 409 {
		t.Fatalf("write to a machine that is off: %d", status)
	}
	stopped := g.hash("m", key, "").SHA256
	g.wait(vm.PowerOn(g.ctx))
	eventually(t, "it goes on after power on", func() bool { return g.hash("m", key, "").SHA256 != stopped })
	g.lab("DELETE", "guest/workload?machine=m", nil, nil)

	a := g.v.machineNamed("m").disk(key)
	newest := uint64(0)
	for _, source := range []view{a.store.liveView(), a.frozenView(a.freezeOf(1))} {
		number := uint64(0)
		for _, r := range a.Database {
			page := make([]byte, dbPageBytes)
			for at := r.Offset; at < r.Offset+r.Length; at += dbPageBytes {
				if err := source.readAt(page, at); err != nil {
					t.Fatal(err)
				}
				if le.Uint32(page) != dbPageMagic || le.Uint64(page[8:]) != number || le.Uint32(page[4:]) != crc32.Checksum(page[8:], crc32.MakeTable(crc32.Castagnoli)) {
					t.Fatalf("page %d is torn", number)
				}
				newest = max(newest, le.Uint64(page[16:]))
				number++
			}
		}
	}
	if newest == 0 {
		t.Fatal("no page was overwritten")
	}
	checkExt4(t, a.store.liveView(), a.capacity)
	checkExt4(t, a.frozenView(a.freezeOf(1)), a.capacity)
}

func TestStateSurvivesAKill(t *testing.T) {
	dir := t.TempDir()
	machines := []inventoryMachine{one("m", true, inventoryDisk{MiB: 16, Filesystem: "ext4"}, inventoryDisk{MiB: 1})}
	g := startGround(t, dir, machines...)
	vm, key := g.vm("m"), g.info("m").Disks[0].DeviceKey
	g.track(vm, true)
	gone := g.snapshot(vm, "gone")
	g.write("m", key, 8<<20, []byte("between"))
	kept := g.snapshot(vm, "kept")
	g.write("m", key, 9<<20, []byte("after"))
	g.remove(gone)
	id := g.backing(kept, key).ChangeId
	before := g.info("m")
	hashes := func(g *ground) string {
		return fmt.Sprint(g.hash("m", key, "gone"), g.hash("m", key, "kept"), g.hash("m", key, ""))
	}
	want := hashes(g)

	again := g.afterKill(machines...)
	after := again.info("m")
	if after.InstanceUUID != before.InstanceUUID || after.MoRef != before.MoRef || after.PowerState != before.PowerState {
		t.Fatalf("%+v became %+v", before, after)
	}
	if got := hashes(again); got != want {
		t.Fatalf("disks changed: %s instead of %s", got, want)
	}
	if len(after.Snapshots) != 1 || after.Snapshots[0].Name != "kept" {
		t.Fatalf("%+v", after.Snapshots)
	}
	next := again.snapshot(again.vm("m"), "next")
	areas, _ := again.changed(again.vm("m"), next, key, 16<<20, id)
	if len(areas) != 1 || areas[0].Start != 9<<20 {
		t.Fatalf("changes since before the kill: %+v", areas)
	}
}

func TestANewMachineGetsAnEmptyDiskEvenUnderAnOldName(t *testing.T) {
	g := startGround(t, "", one("m", true, inventoryDisk{MiB: 1}))
	key := g.info("m").Disks[0].DeviceKey
	empty := g.hash("m", key, "").SHA256
	g.write("m", key, 0, []byte("old"))
	vm := g.vm("m")
	var old mo.VirtualMachine
	if err := property.DefaultCollector(g.client).RetrieveOne(g.ctx, vm.Reference(), []string{"parent", "resourcePool"}, &old); err != nil {
		t.Fatal(err)
	}
	g.wait(vm.PowerOff(g.ctx))
	g.wait(vm.Destroy(g.ctx))
	machine := one("m", false, inventoryDisk{MiB: 1})
	if err := machine.complete(); err != nil {
		t.Fatal(err)
	}
	spec, err := g.v.machineSpec(machine)
	if err != nil {
		t.Fatal(err)
	}
	g.createVM(*old.Parent, *old.ResourcePool, spec)
	if g.hash("m", key, "").SHA256 != empty {
		t.Fatal("the new disk shows old bytes")
	}
}
