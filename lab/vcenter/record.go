package main

import (
	"fmt"
	"log"
	"os"
	"path"
	"path/filepath"

	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"
)

// record writes down what is needed to make the machine again after a restart.
func (v *vcenter) record(m *machine, vm *mo.VirtualMachine) {
	if !v.restoring && !v.populating {
		v.writeDown(m, vm)
	}
}

func (v *vcenter) writeDown(m *machine, vm *mo.VirtualMachine) {
	if vm.Runtime.Host == nil || vm.ResourcePool == nil {
		return
	}
	m.Name, m.Home = vm.Name, vm.Config.Files.VmPathName
	m.Pool, m.Host = vm.ResourcePool.Value, vm.Runtime.Host.Value
	m.Folder = v.folderPath(*vm.Parent)
	v.writeConfig(m.ref.Value, "config.xml", vm.Config)
}

func (v *vcenter) recordSnapshot(m *machine, s *snapshot, config *types.VirtualMachineConfigInfo) {
	v.writeConfig(m.ref.Value, snapshotFile(s), config)
}

func snapshotFile(s *snapshot) string { return fmt.Sprintf("snapshot-%d.xml", s.Number) }

func (v *vcenter) writeConfig(machine, name string, config *types.VirtualMachineConfigInfo) {
	raw, err := encodeConfig(config)
	if err == nil {
		err = os.MkdirAll(v.state.configDir(machine), 0o700)
	}
	if err == nil {
		err = writeFileAtomically(filepath.Join(v.state.configDir(machine), name), raw)
	}
	if err != nil {
		log.Printf("%s of %s not saved: %v", name, machine, err)
	}
}

func (v *vcenter) readConfig(machine, name string) (*types.VirtualMachineConfigInfo, error) {
	raw, err := os.ReadFile(filepath.Join(v.state.configDir(machine), name))
	if err != nil {
		return nil, err
	}
	return decodeConfig(raw)
}

// folderPath names the folder below the datacenter's folder of machines, and remembers the references on the way.
func (v *vcenter) folderPath(ref types.ManagedObjectReference) string {
	folder, ok := v.reg.Get(ref).(mo.Entity)
	if !ok {
		return ""
	}
	entity := folder.Entity()
	if entity.Parent == nil || entity.Parent.Type == "Datacenter" {
		return ""
	}
	full := path.Join(v.folderPath(*entity.Parent), entity.Name)
	v.state.Folders[full] = ref.Value
	return full
}
