package main

import (
	"strings"
	"testing"

	"github.com/vmware/govmomi/vim25/types"
)

func TestDisksAreAddedGrownAndRemovedUnderStableKeys(t *testing.T) {
	g := startGround(t, "", one("m", true, inventoryDisk{MiB: 1}, inventoryDisk{MiB: 1}))
	vm := g.vm("m")
	first, second := g.info("m").Disks[0].DeviceKey, g.info("m").Disks[1].DeviceKey
	g.track(vm, true)
	snap := g.snapshot(vm, "before growth")
	oldID, otherID := g.backing(snap, first).ChangeId, g.backing(snap, second).ChangeId
	grown := &types.VirtualDisk{VirtualDevice: types.VirtualDevice{Key: first}, CapacityInKB: 2 << 10}
	if fault := g.edit("m", types.VirtualDeviceConfigSpecOperationEdit, "", grown); fault != "GenericVmConfigFault" {
		t.Fatalf("grown below a snapshot: %q", fault)
	}
	g.remove(snap)
	g.write("m", first, 0, []byte("kept"))
	if fault := g.edit("m", types.VirtualDeviceConfigSpecOperationEdit, "", grown); fault != "" {
		t.Fatal(fault)
	}
	after := g.info("m").Disks
	if after[0].DeviceKey != first || after[1].DeviceKey != second || after[0].CapacityBytes != 2<<20 || after[1].CapacityBytes != 1<<20 {
		t.Fatalf("%+v", after)
	}
	g.write("m", first, 1<<20, []byte("in the new half"))
	snap = g.snapshot(vm, "after growth")
	_, err := g.query(vm, &snap, first, 0, oldID)
	expectFault(t, err, "FileFault")
	if _, err := g.query(vm, &snap, second, 0, otherID); err != nil {
		t.Fatalf("growth of one disk ended the tracking of another: %v", err)
	}
	if areas, _ := g.changed(vm, snap, first, 2<<20, "*"); len(areas) != 2 {
		t.Fatalf("%+v", areas)
	}
	g.remove(snap)
	shrunk := &types.VirtualDisk{VirtualDevice: types.VirtualDevice{Key: first}, CapacityInBytes: 1 << 20}
	if fault := g.edit("m", types.VirtualDeviceConfigSpecOperationEdit, "", shrunk); fault != "InvalidDeviceOperation" {
		t.Fatalf("shrunk: %q", fault)
	}

	added := g.addDisk("m", 3)
	g.write("m", added, 0, []byte("to keep"))
	kept, file := g.hash("m", added, "").SHA256, g.backing(vm.Reference(), added)
	remove := func(file types.VirtualDeviceConfigSpecFileOperation) string {
		return g.edit("m", types.VirtualDeviceConfigSpecOperationRemove, file, &types.VirtualDisk{VirtualDevice: types.VirtualDevice{Key: added}})
	}
	if fault := remove(""); fault != "" {
		t.Fatal(fault)
	}
	back := &types.VirtualDisk{VirtualDevice: types.VirtualDevice{
		Key: -1, ControllerKey: g.devices("m").FindByKey(first).GetVirtualDevice().ControllerKey, UnitNumber: types.NewInt32(9),
		Backing: &types.VirtualDiskFlatVer2BackingInfo{
			VirtualDeviceFileBackingInfo: types.VirtualDeviceFileBackingInfo{FileName: file.FileName}, DiskMode: "persistent",
		},
	}, CapacityInBytes: 3 << 20}
	if fault := g.edit("m", types.VirtualDeviceConfigSpecOperationAdd, "", back); fault != "" {
		t.Fatal(fault)
	}
	disks := g.info("m").Disks
	added = disks[len(disks)-1].DeviceKey
	if len(disks) != 3 || g.hash("m", added, "").SHA256 != kept {
		t.Fatalf("the disk that was kept came back with other bytes: %+v", disks)
	}
	if fault := remove(types.VirtualDeviceConfigSpecFileOperationDestroy); fault != "" {
		t.Fatal(fault)
	}
	if len(g.v.state.Disks) != 2 || len(g.info("m").Disks) != 2 {
		t.Fatalf("%d disks of %d devices", len(g.v.state.Disks), len(g.info("m").Disks))
	}
}

func (g *ground) addDisk(name string, mib int64) int32 {
	g.t.Helper()
	devices := g.devices(name)
	controller, err := devices.FindDiskController("")
	if err != nil {
		g.t.Fatal(err)
	}
	disk := devices.CreateDisk(controller, types.ManagedObjectReference{}, "")
	disk.CapacityInBytes = mib << 20
	if fault := g.edit(name, types.VirtualDeviceConfigSpecOperationAdd, types.VirtualDeviceConfigSpecFileOperationCreate, disk); fault != "" {
		g.t.Fatal(fault)
	}
	disks := g.info(name).Disks
	return disks[len(disks)-1].DeviceKey
}

func TestCardsAreConnectedToOtherNetworks(t *testing.T) {
	g := startGround(t, "", one("m", false, inventoryDisk{MiB: 1}))
	card := func() *types.VirtualEthernetCard {
		cards := g.devices("m").SelectByType((*types.VirtualEthernetCard)(nil))
		return cards[0].(types.BaseVirtualEthernetCard).GetVirtualEthernetCard()
	}
	before := card()
	network, err := g.finder().Network(g.ctx, "DC0_DVPG0")
	if err != nil {
		t.Fatal(err)
	}
	backing, err := network.EthernetCardBackingInfo(g.ctx)
	if err != nil {
		t.Fatal(err)
	}
	edit := func(connected bool, backing types.BaseVirtualDeviceBackingInfo) string {
		device := &types.VirtualVmxnet3{}
		device.Key, device.Backing = before.Key, backing
		device.Connectable = &types.VirtualDeviceConnectInfo{StartConnected: connected, AllowGuestControl: true}
		return g.edit("m", types.VirtualDeviceConfigSpecOperationEdit, "", device)
	}
	if fault := edit(false, backing); fault != "" {
		t.Fatal(fault)
	}
	after := card()
	if after.MacAddress != before.MacAddress || *after.UnitNumber != *before.UnitNumber || after.Connectable.StartConnected {
		t.Fatalf("%+v became %+v", before, after)
	}
	if m := g.properties("m", "network"); len(m.Network) != 1 || m.Network[0] != network.Reference() {
		t.Fatalf("%+v", m.Network)
	}
	g.wait(g.vm("m").PowerOn(g.ctx))
	if card().Connectable.Connected {
		t.Fatal("connected at power-on")
	}
	nowhere := &types.VirtualEthernetCardNetworkBackingInfo{VirtualDeviceDeviceBackingInfo: types.VirtualDeviceDeviceBackingInfo{DeviceName: "nowhere"}}
	if fault := edit(true, nowhere); !strings.HasSuffix(fault, "InvalidDeviceBacking") {
		t.Fatal(fault)
	}
}

func TestTrackingSwitchedOffAndOnIsANewRun(t *testing.T) {
	g := startGround(t, "", one("m", false, inventoryDisk{MiB: 1}))
	vm, key := g.vm("m"), g.info("m").Disks[0].DeviceKey
	id := func() string {
		ref := g.snapshot(vm, "s")
		defer g.remove(ref)
		return g.backing(ref, key).ChangeId
	}
	set := func(on bool) {
		g.wait(vm.Reconfigure(g.ctx, types.VirtualMachineConfigSpec{ChangeTrackingEnabled: &on}))
	}
	set(true)
	first := id()
	set(false)
	if got := id(); got != "" {
		t.Fatalf("tracked as %s after it was switched off", got)
	}
	set(true)
	second := id()
	if first == "" || second == "" || first[:40] == second[:40] {
		t.Fatalf("%q, then %q", first, second)
	}
	g.wait(vm.PowerOn(g.ctx))
	set(false)
	set(true)
	if got := id(); got[:40] != second[:40] {
		t.Fatal("without a stun cycle between, tracking never stopped")
	}
}
