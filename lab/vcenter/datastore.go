package main

import (
	"context"
	"os"
	"slices"

	"github.com/vmware/govmomi/simulator"
)

const datastoreCapacityBytes = 256 << 40

// defaultDatastores are always there; the first one is where machines go that name none.
var defaultDatastores = []string{"LocalDS_0", "LocalDS_1"}

type datastoreState struct {
	CapacityBytes int64 `json:"capacityBytes"`
	Inaccessible  bool  `json:"inaccessible"`
}

// makeDatastores mounts them on every host: the default ones, those of the inventory, and those of before.
func (v *vcenter) makeDatastores(ctx context.Context, p place, list []inventoryMachine) error {
	names := slices.Clone(defaultDatastores)
	for _, m := range list {
		names = append(names, m.Datastore)
		for _, d := range m.Disks {
			names = append(names, d.Datastore)
		}
	}
	for name := range v.state.Datastores {
		names = append(names, name)
	}
	slices.Sort(names)
	hosts, err := p.finder.HostSystemList(ctx, "*/*")
	if err != nil {
		return err
	}
	for _, name := range slices.Compact(names) {
		if err := os.MkdirAll(v.state.datastoreDir(name), 0o700); err != nil {
			return err
		}
		for _, host := range hosts {
			system, err := host.ConfigManager().DatastoreSystem(ctx)
			if err != nil {
				return err
			}
			if _, err := system.CreateLocalDatastore(ctx, name, v.state.datastoreDir(name)); err != nil {
				return err
			}
		}
		if v.state.Datastores[name] == nil {
			v.state.Datastores[name] = &datastoreState{CapacityBytes: datastoreCapacityBytes}
		}
	}
	return nil
}

func (v *vcenter) datastoreNamed(name string) *simulator.Datastore {
	for _, object := range v.reg.All("Datastore") {
		if store := object.(*simulator.Datastore); store.Name == name {
			return store
		}
	}
	return nil
}
