package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/vmware/govmomi/vim25/types"
)

type inventoryMachine struct {
	Name      string          `json:"name"`
	Folder    string          `json:"folder"`
	Datastore string          `json:"datastore"`
	GuestID   string          `json:"guestId"`
	Firmware  string          `json:"firmware"`
	CPUs      int32           `json:"cpus"`
	MemoryMiB int64           `json:"memoryMiB"`
	PoweredOn bool            `json:"poweredOn"`
	Disks     []inventoryDisk `json:"disks"`
	Snapshots []string        `json:"snapshots"`
	Tags      []string        `json:"tags"` // category/tag
}

type inventoryDisk struct {
	MiB        int64  `json:"mib"`
	Mode       string `json:"mode"`
	Backing    string `json:"backing"`
	Shared     bool   `json:"shared"`
	Filesystem string `json:"filesystem"`
	Seed       uint64 `json:"seed"`
	Datastore  string `json:"datastore"` // default: the machine's
}

func defaultInventory() []inventoryMachine {
	ext4 := func(mib int64, seed uint64) inventoryDisk {
		return inventoryDisk{MiB: mib, Filesystem: "ext4", Seed: seed}
	}
	return []inventoryMachine{
		{Name: "web-01", Folder: "production", CPUs: 2, MemoryMiB: 2048, PoweredOn: true, Disks: []inventoryDisk{ext4(256, 1)}},
		{Name: "app-01", Folder: "production", CPUs: 2, MemoryMiB: 4096, PoweredOn: true, Firmware: "efi", Disks: []inventoryDisk{ext4(256, 2)}},
		{Name: "db-01", Folder: "production", CPUs: 4, MemoryMiB: 8192, PoweredOn: true, Disks: []inventoryDisk{ext4(512, 3), {MiB: 128}}},
		{Name: "archive-01", CPUs: 1, MemoryMiB: 1024, Disks: []inventoryDisk{ext4(128, 4)}},
	}
}

func readInventory(file string) ([]inventoryMachine, error) {
	list := defaultInventory()
	if file != "" {
		raw, err := os.Open(file)
		if err != nil {
			return nil, err
		}
		defer raw.Close()
		list = nil
		decoder := json.NewDecoder(raw)
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(&list); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
	}
	names := map[string]bool{}
	for i := range list {
		m := &list[i]
		if names[m.Name] {
			return nil, fmt.Errorf("two machines are named %q", m.Name)
		}
		names[m.Name] = true
		if err := m.complete(); err != nil {
			return nil, fmt.Errorf("machine %q: %w", m.Name, err)
		}
	}
	return list, nil
}

// complete fills in what was left out and refuses what cannot be.
func (m *inventoryMachine) complete() error {
	def := func(value *string, fallback string) {
		if *value == "" {
			*value = fallback
		}
	}
	def(&m.GuestID, string(types.VirtualMachineGuestOsIdentifierDebian12_64Guest))
	def(&m.Firmware, "bios")
	def(&m.Datastore, defaultDatastores[0])
	m.CPUs, m.MemoryMiB = max(m.CPUs, 1), max(m.MemoryMiB, 256)
	if m.Name == "" || strings.ContainsAny(m.Name, "/[]") {
		return errors.New("a name without /, [ and ] is needed")
	}
	if m.Firmware != "bios" && m.Firmware != "efi" {
		return fmt.Errorf("firmware %q", m.Firmware)
	}
	for i := range m.Disks {
		d := &m.Disks[i]
		def(&d.Mode, "persistent")
		def(&d.Backing, "flat")
		def(&d.Datastore, m.Datastore)
		switch {
		case d.MiB < 1:
			return fmt.Errorf("disk %d has no size", i)
		case d.Filesystem != "" && d.Filesystem != "ext4":
			return fmt.Errorf("disk %d: filesystem %q", i, d.Filesystem)
		case d.Filesystem == "ext4" && (d.MiB < 16 || d.MiB > maxFilesystemMiB):
			return fmt.Errorf("disk %d: ext4 needs 16 MiB to %d MiB", i, maxFilesystemMiB)
		case d.Backing != "flat" && d.Backing != "rdmPhysical" && d.Backing != "rdmVirtual":
			return fmt.Errorf("disk %d: backing %q", i, d.Backing)
		}
	}
	return nil
}
