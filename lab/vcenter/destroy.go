package main

import (
	"log"
	"os"
	"strings"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/types"
)

// dropDisk frees the bytes of a disk for ever.
func (v *vcenter) dropDisk(d *disk) {
	d.store.close()
	delete(v.state.Disks, d.File)
	if err := os.RemoveAll(v.state.diskDir(d.File)); err != nil {
		log.Printf("disk %s: %v", d.File, err)
	}
}

// sweep drops the disks that no machine has and whose files were deleted.
func (v *vcenter) sweep() {
	v.mu.Lock()
	defer v.mu.Unlock()
	dropped := false
	for _, d := range v.state.Disks {
		if d.Owner != "" {
			continue
		}
		if _, err := os.Stat(v.path(d.File)); os.IsNotExist(err) {
			v.dropDisk(d)
			dropped = true
		}
	}
	if dropped {
		v.save()
	}
}

// freeMachine ends what Destroy_Task began: the simulator deletes the machine's folder in a task of its own and
// leaves disks in other places where they are.
func freeMachine(v *vcenter, m *machine, _ *steering) {
	for _, object := range v.reg.AllReference("Task") {
		if task, ok := object.(*simulator.Task); ok && strings.HasSuffix(task.Info.DescriptionId, ".deleteDatastoreFile") {
			task.Wait()
		}
	}
	v.mu.Lock()
	for _, a := range m.disks {
		for _, file := range m.filesOf(a.disk) {
			v.removeFiles(file)
		}
	}
	v.mu.Unlock()
	v.sweep()
}

func sweepFiles(v *vcenter, _ *machine, _ *steering) { v.sweep() }

// guardFiles: files of disks that a machine has are locked.
func guardFiles(v *vcenter, _ *machine, s *steering) types.BaseMethodFault {
	name := ""
	switch body := s.body.(type) {
	case *types.DeleteDatastoreFile_Task:
		name = body.Name
	case *types.DeleteVirtualDisk_Task:
		name = body.Name
	}
	for _, m := range v.byRef {
		for _, a := range m.disks {
			for _, file := range m.filesOf(a.disk) {
				if file == name || flatName(file) == name || strings.HasPrefix(file, strings.TrimSuffix(name, "/")+"/") {
					return &types.FileLocked{FileFault: types.FileFault{File: file}}
				}
			}
		}
	}
	return nil
}
