package main

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/vmware/govmomi/vim25/types"
)

// connections counts the open NBD connections to live disks of the machine.
func (g *ground) connections(machine types.ManagedObjectReference) int {
	x := g.v.exports
	x.mu.Lock()
	defer x.mu.Unlock()
	n := 0
	for _, e := range x.byID {
		e.mu.Lock()
		if e.machine.ref == machine {
			n += len(e.conns)
		}
		e.mu.Unlock()
	}
	return n
}

func (g *ground) history(name string) machineHistory {
	g.t.Helper()
	var all []machineHistory
	g.lab("GET", "history?machine="+name, nil, &all)
	if len(all) != 1 {
		g.t.Fatalf("%d histories of %s", len(all), name)
	}
	return all[0]
}

func TestADiskHasOneWriterAtATime(t *testing.T) {
	g := startGround(t, "", one("m", false, inventoryDisk{MiB: 1}, inventoryDisk{MiB: 1}))
	m := g.info("m")
	request := map[string]any{"machine": m.MoRef, "snapshot": nil, "deviceKey": m.Disks[0].DeviceKey, "mode": "write"}
	first := g.open(201, request)
	status, raw := g.call("POST", "/disk-export/v1/exports", request, g.cookie())
	var refused exportRefusal
	if err := json.Unmarshal(raw, &refused); err != nil || status != 409 {
		t.Fatalf("a second writer: %d %s", status, raw)
	}
	if refused.Fault != "FileLocked" || refused.HolderAgeMs == nil || *refused.HolderAgeMs < 0 {
		t.Fatalf("%s", raw)
	}
	other := map[string]any{"machine": m.MoRef, "snapshot": nil, "deviceKey": m.Disks[1].DeviceKey, "mode": "write"}
	g.closeExport(g.open(201, other)) // disks are locked one by one
	g.closeExport(first)
	second := g.open(201, request)
	c := dialNBD(t, second.Host, second.Port, second.ExportName)
	g.lab("POST", "write-lease", map[string]int{"ms": 0}, nil)
	g.open(409, request) // connected: a lease does not run
	c.conn.Close()
	eventually(t, "the connection is gone", func() bool { return g.connections(g.vm("m").Reference()) == 0 })
	third := g.open(201, request)
	if status, _ := g.call("DELETE", "/disk-export/v1/exports/"+second.ID, nil, g.cookie()); status != 404 {
		t.Fatalf("the export that lost its lock is still there: %d", status)
	}
	g.closeExport(third)

	writers := map[int32][]writerSpan{}
	for _, span := range g.history("m").Writers {
		if span.ClosedAtMs == nil || *span.ClosedAtMs < span.OpenedAtMs {
			t.Fatalf("%+v", span)
		}
		writers[span.Disk] = append(writers[span.Disk], span)
	}
	if len(writers[m.Disks[0].DeviceKey]) != 3 || len(writers[m.Disks[1].DeviceKey]) != 1 {
		t.Fatalf("%+v", writers)
	}
}

func TestAWriterThatLostItsLockWritesNoMore(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	g := startGround(t, "", one("m", false, inventoryDisk{MiB: 1}))
	m := g.info("m")
	request := map[string]any{"machine": m.MoRef, "deviceKey": m.Disks[0].DeviceKey, "mode": "write"}
	old := g.open(201, request)
	e := g.v.exports.named(old.ExportName)
	var writing sync.WaitGroup
	for n := range 4 {
		writing.Go(func() {
			random := rand.New(rand.NewPCG(seed, uint64(n)))
			for alive := true; alive; {
				alive, _ = e.change(func() error {
					return e.disk.store.write([]byte{0xff}, random.Int64N(1<<20))
				})
			}
		})
	}
	g.closeExport(old)
	taken := g.hash("m", m.Disks[0].DeviceKey, "").SHA256
	writing.Wait()
	if g.hash("m", m.Disks[0].DeviceKey, "").SHA256 != taken {
		t.Fatal("written after the export had ended")
	}
}

func TestAMachineWhoseDiskIsWrittenIsLeftAlone(t *testing.T) {
	g := startGround(t, "", one("m", false, inventoryDisk{MiB: 1}, inventoryDisk{MiB: 1}))
	m, vm := g.info("m"), g.vm("m")
	request := map[string]any{"machine": m.MoRef, "deviceKey": m.Disks[0].DeviceKey, "mode": "write"}
	writer := g.open(201, request)
	locked := g.expectTaskFault("FileLocked")
	locked(vm.PowerOn(g.ctx))
	locked(vm.CreateSnapshot(g.ctx, "s", "", false, false))
	locked(vm.RemoveAllSnapshot(g.ctx, nil))
	locked(vm.Destroy(g.ctx))
	expectFault(t, vm.Unregister(g.ctx), "TaskInProgress")
	if status, _ := g.call("POST", "/_lab/power", map[string]any{"machine": "m", "state": "poweredOn"}, nil); status != 409 {
		t.Fatalf("powered on behind the writer's back: %d", status)
	}
	g.wait(vm.Reconfigure(g.ctx, types.VirtualMachineConfigSpec{Annotation: "its disks are being written"}))
	if g.info("m").PowerState != "poweredOff" {
		t.Fatal("it is on")
	}
	g.closeExport(writer)

	ref := g.snapshot(vm, "s")
	g.open(409, request) // the disk is now the base of a chain
	g.remove(ref)
	g.open(201, request)
	g.lab("POST", "power", map[string]any{"machine": "m", "state": "poweredOn", "force": true}, nil)
	history := g.history("m")
	if last := history.Writers[len(history.Writers)-1]; last.ClosedAtMs == nil || *last.ClosedAtMs > history.Power[0].AtMs {
		t.Fatalf("the lock was broken after the start: %+v", history)
	}
	g.open(409, request)
}

func TestWhatWasFlushedSurvivesAKill(t *testing.T) {
	dir := t.TempDir()
	machine := one("m", false, inventoryDisk{MiB: 1})
	g := startGround(t, dir, machine)
	key := g.info("m").Disks[0].DeviceKey
	request := map[string]any{"machine": g.info("m").MoRef, "deviceKey": key, "mode": "write"}
	c := g.export(201, request)
	for _, code := range []uint32{
		c.change(cmdWrite, 0, 3*blockBytes, make([]byte, 3*blockBytes)),
		c.change(cmdWrite, 100, 5, []byte("bytes")),
		c.change(cmdTrim, blockBytes, blockBytes, nil),
		c.change(cmdWriteZeroes, 102, 1, nil),
		c.change(cmdFlush, 0, 0, nil),
	} {
		if code != 0 {
			t.Fatalf("NBD error %d", code)
		}
	}
	again := g.afterKill(machine)
	if a, b := g.hash("m", key, ""), again.hash("m", key, ""); a.SHA256 != b.SHA256 {
		t.Fatal("flushed bytes are gone")
	}
	spans := again.history("m").Writers
	if len(spans) != 1 || spans[0].ClosedAtMs == nil {
		t.Fatalf("the lock of a vCenter that was killed: %+v", spans)
	}
	again.export(201, map[string]any{"machine": again.info("m").MoRef, "deviceKey": key, "mode": "write"})
	if got := fmt.Sprint(g.history("m").Power); got != "[]" {
		t.Fatalf("power changes %s", got)
	}
}

func TestAMachineIsNeverOnWhileADiskIsOpenForWriting(t *testing.T) {
	g := startGround(t, "", one("m", false, inventoryDisk{MiB: 1}))
	vm, key := g.vm("m"), g.info("m").Disks[0].DeviceKey
	request := map[string]any{"machine": vm.Reference().Value, "deviceKey": key, "mode": "write"}
	on, opened := 0, 0
	for range 20 {
		var both sync.WaitGroup
		var started bool
		var status int
		var raw []byte
		both.Go(func() {
			task, err := vm.PowerOn(g.ctx)
			started = err == nil && task.Wait(g.ctx) == nil
		})
		both.Go(func() { status, raw = g.call("POST", "/disk-export/v1/exports", request, g.cookie()) })
		both.Wait()
		if started == (status == 201) {
			t.Fatalf("started %t, writer %d %s", started, status, raw)
		}
		if started {
			on++
			g.wait(vm.PowerOff(g.ctx))
			continue
		}
		opened++
		var e openedExport
		if err := json.Unmarshal(raw, &e); err != nil {
			t.Fatal(err)
		}
		g.closeExport(e)
	}
	t.Logf("started %d times, opened %d times", on, opened)
	audit(t, g.history("m"))
}

// audit walks through the history: never on with a writer, never two writers of one disk.
func audit(t *testing.T, h machineHistory) {
	t.Helper()
	for _, w := range h.Writers {
		for _, other := range h.Writers {
			if other.Export != w.Export && other.Disk == w.Disk && other.OpenedAtMs < *w.ClosedAtMs && w.OpenedAtMs < *other.ClosedAtMs {
				t.Fatalf("two writers: %+v, %+v", w, other)
			}
		}
		for i, change := range h.Power {
			until := int64(1) << 62
			if i+1 < len(h.Power) {
				until = h.Power[i+1].AtMs
			}
			if change.On && change.AtMs < *w.ClosedAtMs && w.OpenedAtMs < until {
				t.Fatalf("on from %d to %d with a writer: %+v", change.AtMs, until, w)
			}
		}
	}
}
