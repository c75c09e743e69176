package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/vmware/govmomi/find"
	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/property"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"
)

// finder looks things up in the only datacenter.
func (g *ground) finder() *find.Finder {
	g.t.Helper()
	f := find.NewFinder(g.client)
	datacenter, err := f.DefaultDatacenter(g.ctx)
	if err != nil {
		g.t.Fatal(err)
	}
	return f.SetDatacenter(datacenter)
}

func (g *ground) create(spec types.VirtualMachineConfigSpec) (*object.Task, error) {
	g.t.Helper()
	f := g.finder()
	folder, err := f.Folder(g.ctx, "vm")
	if err != nil {
		g.t.Fatal(err)
	}
	pools, err := f.ResourcePoolList(g.ctx, "*/Resources")
	if err != nil {
		g.t.Fatal(err)
	}
	return folder.CreateVM(g.ctx, spec, pools[0], nil)
}

// homecomer is a machine as failback makes it: two thin disks and a card in a distributed network.
func (g *ground) homecomer(name, datastore string, mib ...int64) types.VirtualMachineConfigSpec {
	g.t.Helper()
	network, err := g.finder().Network(g.ctx, "DC0_DVPG0")
	if err != nil {
		g.t.Fatal(err)
	}
	backing, err := network.EthernetCardBackingInfo(g.ctx)
	if err != nil {
		g.t.Fatal(err)
	}
	var devices object.VirtualDeviceList
	controller, _ := devices.CreateSCSIController("pvscsi")
	devices = append(devices, controller)
	for _, size := range mib {
		disk := devices.CreateDisk(controller.(types.BaseVirtualController), types.ManagedObjectReference{}, "")
		disk.Backing.(*types.VirtualDiskFlatVer2BackingInfo).FileName = "[" + datastore + "]" // vCenter chooses the rest
		disk.CapacityInBytes = size << 20
		devices = append(devices, disk)
	}
	card, _ := devices.CreateEthernetCard("vmxnet3", backing)
	changes, err := append(devices, card).ConfigSpec(types.VirtualDeviceConfigSpecOperationAdd)
	if err != nil {
		g.t.Fatal(err)
	}
	return types.VirtualMachineConfigSpec{
		Name: name, GuestId: "debian12_64Guest", Firmware: "efi", NumCPUs: 3, MemoryMB: 1024, Annotation: "came home",
		Files: &types.VirtualMachineFileInfo{VmPathName: "[" + datastore + "]"}, DeviceChange: changes,
		ExtraConfig: []types.BaseOptionValue{&types.OptionValue{Key: "switchback.key", Value: "run-1"}},
	}
}

func (g *ground) devices(name string) object.VirtualDeviceList {
	return object.VirtualDeviceList(g.properties(name, "config.hardware.device").Config.Hardware.Device)
}

// edit sends one device change and returns how its task ended.
func (g *ground) edit(name string, operation types.VirtualDeviceConfigSpecOperation, file types.VirtualDeviceConfigSpecFileOperation, device types.BaseVirtualDevice) string {
	g.t.Helper()
	return g.taskFault(g.vm(name).Reconfigure(g.ctx, types.VirtualMachineConfigSpec{DeviceChange: []types.BaseVirtualDeviceConfigSpec{
		&types.VirtualDeviceConfigSpec{Operation: operation, FileOperation: file, Device: device},
	}}))
}

// described shows what must not change over a restart.
func (g *ground) described(name string) string {
	m := g.properties(name, "config", "runtime", "network", "datastore", "parent", "resourcePool", "summary.config", "snapshot", "guest.net", "capability")
	text := fmt.Sprintln(m.Self, m.Parent, m.ResourcePool, m.Runtime.Host, m.Runtime.PowerState, m.Network, m.Datastore, m.Capability.ChangeTrackingSupported)
	text += fmt.Sprintln(m.Config.Name, m.Config.Uuid, m.Config.InstanceUuid, m.Config.GuestId, m.Config.Firmware, m.Config.Annotation, m.Config.Hardware.NumCPU,
		m.Config.Hardware.MemoryMB, m.Config.Files.VmPathName, m.Summary.Config.NumVirtualDisks, m.Summary.Config.NumEthernetCards, m.Summary.Config.Annotation)
	for _, option := range m.Config.ExtraConfig {
		text += fmt.Sprintln(*option.GetOptionValue())
	}
	text += devicesText(m.Config.Hardware.Device)
	var tree func(nodes []types.VirtualMachineSnapshotTree)
	tree = func(nodes []types.VirtualMachineSnapshotTree) {
		for _, node := range nodes {
			var snap mo.VirtualMachineSnapshot
			if err := property.DefaultCollector(g.client).RetrieveOne(g.ctx, node.Snapshot, []string{"config"}, &snap); err != nil {
				g.t.Fatal(err)
			}
			text += fmt.Sprintln(node.Snapshot, node.Name, node.Description, node.CreateTime.UTC(), node.State, node.Quiesced, "(")
			text += devicesText(snap.Config.Hardware.Device)
			tree(node.ChildSnapshotList)
			text += ")\n"
		}
	}
	if m.Snapshot != nil {
		text += fmt.Sprintln(m.Snapshot.CurrentSnapshot)
		tree(m.Snapshot.RootSnapshotList)
	}
	return text
}

func devicesText(list object.VirtualDeviceList) string {
	text := ""
	for _, device := range list {
		switch d := device.(type) {
		case *types.VirtualDisk:
			flat := d.Backing.(*types.VirtualDiskFlatVer2BackingInfo)
			text += fmt.Sprintln("disk", d.Key, d.ControllerKey, *d.UnitNumber, d.CapacityInBytes, d.CapacityInKB, flat.FileName, flat.Parent != nil, flat.ChangeId, *flat.ThinProvisioned, flat.Uuid)
		case types.BaseVirtualEthernetCard:
			card := d.GetVirtualEthernetCard()
			text += fmt.Sprintln("card", card.Key, card.MacAddress, list.Name(device), card.Connectable.Connected, card.Connectable.StartConnected)
		default:
			text += fmt.Sprintln(list.Name(d), d.GetVirtualDevice().Key)
		}
	}
	return text
}

func TestMachinesMadeByClientsAreAsRealAsThoseOfTheInventory(t *testing.T) {
	inventory := one("m", true, inventoryDisk{MiB: 1})
	g := startGround(t, "", inventory)
	g.wait(g.create(g.homecomer("home-01", "LocalDS_1", 2, 1)))
	home := g.info("home-01")
	if len(home.Disks) != 2 || home.Disks[0].CapacityBytes != 2<<20 || home.Disks[0].FileName != "[LocalDS_1] home-01/home-01.vmdk" {
		t.Fatalf("%+v", home.Disks)
	}
	vm, key := g.vm("home-01"), home.Disks[0].DeviceKey
	c := g.export(201, map[string]any{"machine": home.MoRef, "deviceKey": key, "mode": "write"})
	if got, err := c.get(0, 2<<20); err != nil || strings.Trim(string(got), "\x00") != "" {
		t.Fatalf("a new disk is not all zeros: %v", err)
	}
	c.change(cmdWrite, 1<<20, 9, []byte("from home"))
	g.lab("POST", "write-lease", map[string]int{"ms": 0}, nil)
	c.conn.Close()
	eventually(t, "the connection is gone", func() bool { return g.connections(vm.Reference()) == 0 })
	g.track(vm, true)
	g.wait(vm.CreateSnapshot(g.ctx, "first", "of two", false, false))
	first := g.snapshot(vm, "second")
	g.remove(first)
	g.wait(vm.RevertToCurrentSnapshot(g.ctx, false))
	g.snapshot(vm, "branch")
	g.wait(vm.PowerOn(g.ctx))
	g.write("home-01", key, 0, []byte("guest"))
	g.wait(g.vm("m").Rename(g.ctx, "renamed"))

	want := [3]string{g.described("home-01"), g.hash("home-01", key, "").SHA256, g.described("renamed")}
	again := g.afterKill(inventory)
	got := [3]string{again.described("home-01"), again.hash("home-01", key, "").SHA256, again.described("renamed")}
	for i := range want {
		if got[i] != want[i] {
			t.Fatalf("before:\n%s\nafter:\n%s", want[i], got[i])
		}
	}
	third := again.afterKill(inventory) // a restart must not wear it down
	if got := third.described("home-01"); got != want[0] {
		t.Fatalf("before:\n%s\nafter two restarts:\n%s", want[0], got)
	}
	next := third.snapshot(third.vm("home-01"), "next")
	if areas, _ := third.changed(third.vm("home-01"), next, key, 2<<20, "*"); len(areas) != 2 {
		t.Fatalf("%+v", areas)
	}
	third.wait(third.revertTo(next))
}

func TestDestroyingAMachineFreesItsBytesForEver(t *testing.T) {
	inventory := []inventoryMachine{one("m", false, inventoryDisk{MiB: 4, Datastore: "LocalDS_1"}), one("kept", false, inventoryDisk{MiB: 1})}
	g := startGround(t, "", inventory...)
	stores := func() int {
		entries, err := os.ReadDir(filepath.Join(g.dir, "disks"))
		if err != nil {
			t.Fatal(err)
		}
		return len(entries)
	}
	vm := g.vm("m")
	g.snapshot(vm, "s")
	g.wait(vm.Destroy(g.ctx))
	if n := stores(); n != 1 {
		t.Fatalf("%d disks are left", n)
	}
	for _, name := range []string{"LocalDS_0", "LocalDS_1"} {
		if left, _ := filepath.Glob(filepath.Join(g.dir, "datastores", name, "m", "*.vmdk")); len(left) > 0 {
			t.Fatalf("left: %v", left)
		}
	}
	again := g.afterKill(inventory...)
	var all []labMachineInfo
	again.lab("GET", "machines", nil, &all)
	if len(all) != 1 || all[0].Name != "kept" {
		t.Fatalf("%+v", all)
	}

	kept, key := g.vm("kept"), g.info("kept").Disks[0].DeviceKey
	if err := kept.Unregister(g.ctx); err != nil {
		t.Fatal(err)
	}
	if n := stores(); n != 1 {
		t.Fatalf("unregistering freed the disk: %d are left", n)
	}
	datacenter, _ := g.finder().DefaultDatacenter(g.ctx)
	g.wait(object.NewVirtualDiskManager(g.client).DeleteVirtualDisk(g.ctx, "[LocalDS_0] kept/kept.vmdk", datacenter))
	if n := stores(); n != 0 {
		t.Fatalf("%d disks are left after their files were deleted (key %d)", n, key)
	}
}

func TestMachinesThatCannotBeAreRefused(t *testing.T) {
	g := startGround(t, "", one("m", false, inventoryDisk{MiB: 1}))
	spec := func(change func(s *types.VirtualMachineConfigSpec)) types.VirtualMachineConfigSpec {
		s := g.homecomer("home", "LocalDS_1", 1)
		change(&s)
		return s
	}
	for want, change := range map[string]func(s *types.VirtualMachineConfigSpec){
		"DuplicateName":        func(s *types.VirtualMachineConfigSpec) { s.Name = "m" },
		"InvalidDatastorePath": func(s *types.VirtualMachineConfigSpec) { s.Files.VmPathName = "[nowhere]" },
		"InvalidDeviceSpec": func(s *types.VirtualMachineConfigSpec) {
			s.DeviceChange[1].GetVirtualDeviceConfigSpec().Device.(*types.VirtualDisk).CapacityInBytes = 0
		},
		"InvalidDeviceBacking": func(s *types.VirtualMachineConfigSpec) {
			s.DeviceChange[2].GetVirtualDeviceConfigSpec().Device.GetVirtualDevice().Backing = &types.VirtualEthernetCardNetworkBackingInfo{
				VirtualDeviceDeviceBackingInfo: types.VirtualDeviceDeviceBackingInfo{DeviceName: "nowhere"},
			}
		},
	} {
		if fault := g.taskFault(g.create(spec(change))); !strings.HasSuffix(fault, want) {
			t.Fatalf("%q instead of %s", fault, want)
		}
	}
	gone := types.ManagedObjectReference{Type: "VirtualMachine", Value: "vm-1"}
	_, err := methods.PowerOnVM_Task(g.ctx, g.client, &types.PowerOnVM_Task{This: gone})
	expectFault(t, err, "ManagedObjectNotFound")
	g.wait(g.create(g.homecomer("home", "LocalDS_1", 1)))
}
