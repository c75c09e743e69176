package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"sync"
	"testing"
)

func (g *ground) guestDisk(name string, key int32) *nbdClient {
	g.t.Helper()
	var e openedExport
	g.lab("POST", "guest/disk", map[string]any{"machine": name, "deviceKey": key}, &e)
	return dialNBD(g.t, e.Host, e.Port, e.ExportName)
}

func TestAGuestWritesItsDiskThroughSnapshotsAndEachWriteIsTracked(t *testing.T) {
	g := startGround(t, "", one("m", true, inventoryDisk{MiB: 4}))
	vm, key := g.vm("m"), g.info("m").Disks[0].DeviceKey
	g.track(vm, true)
	c := g.guestDisk("m", key)
	if c.change(cmdWrite, 0, 6, []byte("before")) != 0 {
		t.Fatal("a guest cannot write")
	}
	first := g.snapshot(vm, "first")
	if c.change(cmdWrite, 2<<20, 5, []byte("after")) != 0 || c.change(cmdTrim, 0, blockBytes, nil) != 0 {
		t.Fatal("a guest cannot write while there is a snapshot")
	}
	if got, err := c.get(2<<20, 5); err != nil || string(got) != "after" {
		t.Fatalf("%q %v", got, err)
	}
	second := g.snapshot(vm, "second")
	areas, _ := g.changed(vm, second, key, 4<<20, g.backing(first, key).ChangeId)
	if len(areas) != 2 || areas[0].Start != 0 || areas[1].Start != 2<<20 {
		t.Fatalf("changed %+v", areas)
	}
	g.remove(first) // neither its removal nor a new one asks for a lock
	if writers := g.history("m").Writers; len(writers) != 0 {
		t.Fatalf("a guest counts as a writer from outside: %+v", writers)
	}
}

func TestAGuestLosesItsDiskWithThePower(t *testing.T) {
	g := startGround(t, "", one("m", true, inventoryDisk{MiB: 1}))
	key := g.info("m").Disks[0].DeviceKey
	old := g.guestDisk("m", key)
	c := g.guestDisk("m", key)
	if _, err := old.conn.Read(make([]byte, 1)); err == nil {
		t.Fatal("two guests hold the disk")
	}
	if c.change(cmdWrite, 0, 6, []byte("before")) != 0 {
		t.Fatal("a guest cannot write")
	}
	g.lab("POST", "power", map[string]any{"machine": "m", "state": "poweredOff"}, nil)
	if _, err := c.conn.Read(make([]byte, 1)); err == nil {
		t.Fatal("the guest of a machine that is off holds its disk")
	}
	if status, raw := g.call("POST", "/_lab/guest/disk", map[string]any{"machine": "m", "deviceKey": key}, nil); status != 409 {
		t.Fatalf("%d %s", status, raw)
	}
	// The disk is free at once: a writer from outside finds no lock.
	g.closeExport(g.open(201, map[string]any{"machine": g.info("m").MoRef, "deviceKey": key, "mode": "write"}))
	g.lab("POST", "power", map[string]any{"machine": "m", "state": "poweredOn"}, nil)
	if got, err := g.guestDisk("m", key).get(0, 6); errors.Is(err, errNBD) || bytes.Equal(got, make([]byte, 6)) {
		t.Fatalf("%q %v", got, err)
	}
}

// A counter goes to one disk and, once acknowledged, to the other: no snapshot may hold the second write without the first.
func TestASnapshotFreezesAllDisksOfAGuestAtOneInstant(t *testing.T) {
	g := startGround(t, "", one("m", true, inventoryDisk{MiB: 1}, inventoryDisk{MiB: 1}))
	vm, disks := g.vm("m"), g.info("m").Disks
	first, second := g.guestDisk("m", disks[0].DeviceKey), g.guestDisk("m", disks[1].DeviceKey)
	stop := make(chan struct{})
	var writing sync.WaitGroup
	writing.Go(func() {
		for n := uint64(1); ; n++ {
			select {
			case <-stop:
				return
			default:
			}
			counter := binary.BigEndian.AppendUint64(nil, n)
			if first.change(cmdWrite, 0, 8, counter) != 0 || second.change(cmdWrite, 0, 8, counter) != 0 {
				t.Error("a guest cannot write")
				return
			}
		}
	})
	seen := uint64(0)
	for range 8 {
		ref := g.snapshot(vm, "s")
		var counters [2]uint64
		for i, disk := range disks {
			c := g.export(201, map[string]any{"machine": vm.Reference().Value, "snapshot": ref.Value, "deviceKey": disk.DeviceKey, "mode": "read"})
			got, err := c.get(0, 8)
			if err != nil {
				t.Fatal(err)
			}
			counters[i] = binary.BigEndian.Uint64(got)
		}
		if counters[0] != counters[1] && counters[0] != counters[1]+1 || counters[0] < seen {
			t.Fatalf("frozen at %v, before it at %d", counters, seen)
		}
		seen = counters[0]
		g.remove(ref)
	}
	close(stop)
	writing.Wait()
	if seen == 0 {
		t.Fatal("nothing was written")
	}
}
