package main

import (
	"fmt"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"
)

// renameFiles gives the live devices and those of the snapshots the file names of the tree.
func (v *vcenter) renameFiles(m *machine, vm *mo.VirtualMachine) {
	for _, a := range m.disks {
		for _, s := range m.present() {
			if object, ok := v.reg.Get(s.ref).(*simulator.VirtualMachineSnapshot); ok && a.freezeOf(s.Number) != nil {
				rename(findDisk(object.Config.Hardware.Device, a.key), m.chain(a.disk, s.Number))
			}
		}
		rename(findDisk(vm.Config.Hardware.Device, a.key), m.liveChain(a.disk))
	}
}

// rename replaces the backing, so that a reader of the old one is not disturbed.
func rename(virtual *types.VirtualDisk, chain []string) {
	if virtual == nil {
		return
	}
	flat, ok := virtual.Backing.(*types.VirtualDiskFlatVer2BackingInfo)
	if !ok {
		return
	}
	var backing *types.VirtualDiskFlatVer2BackingInfo
	for _, file := range chain {
		next := *flat
		next.FileName, next.Parent, next.ChangeId = file, backing, ""
		backing = &next
	}
	backing.ChangeId = flat.ChangeId
	virtual.Backing = backing
}

func findDisk(devices []types.BaseVirtualDevice, key int32) *types.VirtualDisk {
	for _, device := range devices {
		if virtual, ok := device.(*types.VirtualDisk); ok && virtual.Key == key {
			return virtual
		}
	}
	return nil
}

// nextFile makes the next delta's descriptor and placeholder beside the base, as the datastore browser shows them.
func (v *vcenter) nextFile(m *machine, d *disk) string {
	stem, taken := strings.TrimSuffix(d.File, ".vmdk"), m.filesOf(d)
	for n := 1; ; n++ {
		file := fmt.Sprintf("%s-%06d.vmdk", stem, n)
		if slices.Contains(taken, file) {
			continue
		}
		if descriptor, err := os.ReadFile(v.path(d.File)); err == nil {
			os.WriteFile(v.path(file), descriptor, 0o600)
			os.WriteFile(v.path(flatName(file)), make([]byte, 512), 0o600)
		}
		return file
	}
}

func (v *vcenter) removeFiles(file string) {
	os.Remove(v.path(file))
	os.Remove(v.path(flatName(file)))
}

// path resolves "[datastore] a/b.vmdk".
func (v *vcenter) path(file string) string {
	name, within := splitPath(file)
	return path.Join(v.state.datastoreDir(name), within)
}

// splitPath cuts "[datastore] a/b.vmdk" in two.
func splitPath(file string) (datastore, within string) {
	datastore, within, _ = strings.Cut(strings.TrimPrefix(file, "["), "]")
	return datastore, strings.TrimPrefix(within, " ")
}

func flatName(descriptor string) string {
	return strings.TrimSuffix(descriptor, ".vmdk") + "-flat.vmdk"
}

func fileName(virtual *types.VirtualDisk) string {
	return virtual.Backing.(types.BaseVirtualDeviceFileBackingInfo).GetVirtualDeviceFileBackingInfo().FileName
}
