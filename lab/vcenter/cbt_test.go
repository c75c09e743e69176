package main

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/vmware/govmomi/vim25/types"
)

func one(name string, on bool, disks ...inventoryDisk) inventoryMachine {
	return inventoryMachine{Name: name, PoweredOn: on, Disks: disks}
}

func TestChangedAreasCoverExactlyTheBlocksWrittenBetweenSnapshots(t *testing.T) {
	const capacity, rounds = 8 << 20, 12
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	g := startGround(t, "", one("m", true, inventoryDisk{MiB: 8}))
	vm, key := g.vm("m"), g.info("m").Disks[0].DeviceKey
	g.track(vm, true)

	model := make([]byte, capacity)
	touched := map[int64]int{} // block → round it was last written in
	var refs []types.ManagedObjectReference
	var ids, sums []string
	for round := range rounds {
		for range random.IntN(8) {
			data := make([]byte, 1+random.IntN(200_000))
			newBytes(random.Uint64()).fill(data)
			offset := random.Int64N(int64(capacity - len(data)))
			g.write("m", key, offset, data)
			copy(model[offset:], data)
			for block := offset / blockBytes; block <= (offset+int64(len(data))-1)/blockBytes; block++ {
				touched[block] = round + 1
			}
		}
		ref := g.snapshot(vm, fmt.Sprintf("s%d", round))
		sum := sha256.Sum256(model)
		refs, sums = append(refs, ref), append(sums, hex.EncodeToString(sum[:]))
		ids = append(ids, g.backing(ref, key).ChangeId)
		since := random.IntN(round + 1) // an earlier round, or this one for "*"
		changeID := "*"
		if since < round {
			changeID = ids[since]
		} else {
			since = -1
		}
		areas, _ := g.changed(vm, ref, key, capacity, changeID)
		got := map[int64]bool{}
		for _, area := range areas {
			for at := area.Start; at < area.Start+area.Length; at += blockBytes {
				got[at/blockBytes] = true
			}
		}
		for block := range int64(capacity / blockBytes) {
			if want := touched[block] > since+1; got[block] != want {
				t.Fatalf("round %d since %s: block %d reported %t, want %t", round, changeID, block, got[block], want)
			}
		}
		if round%3 == 2 { // consolidate one of the chain
			n := random.IntN(len(refs))
			if refs[n].Value != "" {
				g.remove(refs[n])
				refs[n] = types.ManagedObjectReference{}
			}
		}
	}
	for round, want := range sums {
		if got := g.hash("m", key, fmt.Sprintf("s%d", round)).SHA256; got != want {
			t.Fatalf("frozen disk s%d differs from what was on the disk then", round)
		}
	}
}

func TestAtMostTwoThousandAreasPerCall(t *testing.T) {
	g := startGround(t, "", one("m", true, inventoryDisk{MiB: 400}))
	vm, key := g.vm("m"), g.info("m").Disks[0].DeviceKey
	g.track(vm, true)
	m := g.v.machineNamed("m")
	for i := range int64(2500) {
		if err := g.v.guestWrite(m, m.disk(key), []byte{1}, i*2*blockBytes); err != nil {
			t.Fatal(err)
		}
	}
	areas, calls := g.changed(vm, g.snapshot(vm, "s"), key, 400<<20, "*")
	if len(areas) != 2500 || calls != 2 {
		t.Fatalf("%d areas in %d calls", len(areas), calls)
	}
}

func TestTrackingNeedsAStunCycleWhilePoweredOn(t *testing.T) {
	g := startGround(t, "", one("on", true, inventoryDisk{MiB: 1}), one("off", false, inventoryDisk{MiB: 1}))
	key := g.info("on").Disks[0].DeviceKey
	enable := types.VirtualMachineConfigSpec{ChangeTrackingEnabled: types.NewBool(true)}
	on := g.vm("on")
	g.wait(on.Reconfigure(g.ctx, enable))
	first := g.snapshot(on, "first")
	if id := g.backing(first, key).ChangeId; id != "" {
		t.Fatalf("change id %q before the first stun cycle", id)
	}
	g.remove(first)
	if id := g.backing(g.snapshot(on, "second"), key).ChangeId; id == "" {
		t.Fatal("no change id after the stun cycle")
	}
	off := g.vm("off")
	g.wait(off.Reconfigure(g.ctx, enable))
	if id := g.backing(g.snapshot(off, "first"), key).ChangeId; id == "" {
		t.Fatal("no change id on a machine that is off")
	}
}

func TestChangeIdsOfAnotherTrackingRunAreRefused(t *testing.T) {
	g := startGround(t, "", one("m", true, inventoryDisk{MiB: 1}), one("never", true, inventoryDisk{MiB: 1}))
	vm, key := g.vm("m"), g.info("m").Disks[0].DeviceKey
	g.track(vm, true)
	before := g.snapshot(vm, "before")
	id := g.backing(before, key).ChangeId
	ask := func(snap types.ManagedObjectReference, key int32, offset int64, id string) error {
		_, err := g.query(vm, &snap, key, offset, id)
		return err
	}
	if err := ask(before, key, 0, id); err != nil {
		t.Fatal(err)
	}
	expectFault(t, ask(before, key, 0, "52 2d 7b 00-00/1"), "FileFault")
	expectFault(t, ask(before, 9, 0, "*"), "InvalidArgument")
	expectFault(t, ask(before, key, 1<<20, "*"), "InvalidArgument")
	expectFault(t, ask(before, key, -1, "*"), "InvalidArgument")
	_, err := g.query(vm, nil, key, 0, "*")
	expectFault(t, err, "InvalidArgument")
	untracked := g.vm("never")
	snap := g.snapshot(untracked, "s")
	_, err = g.query(untracked, &snap, key, 0, "*")
	expectFault(t, err, "FileFault")

	g.wait(vm.PowerOff(g.ctx))
	if _, err := g.query(vm, nil, key, 0, id); err != nil {
		t.Fatalf("without a snapshot on a machine that is off: %v", err)
	}
	g.wait(vm.PowerOn(g.ctx))
	if err := ask(g.snapshot(vm, "after"), key, 0, id); err != nil {
		t.Fatalf("a power cycle must keep the tracking run: %v", err)
	}
	g.lab("POST", "cbt-reset", map[string]string{"machine": "m"}, nil)
	after := g.snapshot(vm, "reset")
	expectFault(t, ask(after, key, 0, id), "FileFault")
	if err := ask(after, key, 0, g.backing(after, key).ChangeId); err != nil {
		t.Fatal(err)
	}
	g.lab("POST", "power", map[string]any{"machine": "m", "state": "poweredOff", "resetChangeTracking": true}, nil)
	expectFault(t, ask(g.snapshot(vm, "cut"), key, 0, g.backing(after, key).ChangeId), "FileFault")
}

func TestSnapshotsFreezeAndConsolidationKeepsTheLiveDisk(t *testing.T) {
	g := startGround(t, "", one("m", true, inventoryDisk{MiB: 4}, inventoryDisk{MiB: 4, Mode: "independent_persistent"}))
	vm, disks := g.vm("m"), g.info("m").Disks
	key := disks[0].DeviceKey
	fresh := g.hash("m", key, "").SHA256
	var refs []types.ManagedObjectReference
	sums := []string{fresh}
	for n := range 3 {
		refs = append(refs, g.snapshot(vm, fmt.Sprintf("s%d", n)))
		g.write("m", key, int64(n)*100_000, []byte("written while frozen"))
		sums = append(sums, g.hash("m", key, "").SHA256)
	}
	names := []string{"m.vmdk", "m-000001.vmdk", "m-000002.vmdk", "m-000003.vmdk"}
	for n, ref := range append(refs, vm.Reference()) {
		if got := g.backing(ref, key).FileName; got != "[LocalDS_0] m/"+names[n] {
			t.Fatalf("file %d is %s", n, got)
		}
	}
	g.remove(refs[1])
	if got := g.backing(refs[2], key).FileName; got != "[LocalDS_0] m/m-000001.vmdk" {
		t.Fatalf("the child was not merged into its parent: %s", got)
	}
	g.wait(vm.RemoveAllSnapshot(g.ctx, nil))
	if got := g.backing(vm.Reference(), key); got.FileName != "[LocalDS_0] m/m.vmdk" || got.Parent != nil {
		t.Fatalf("not consolidated: %+v", got)
	}
	for n := range 3 {
		if g.hash("m", key, fmt.Sprintf("s%d", n)).SHA256 != sums[n] {
			t.Fatalf("s%d does not hold the bytes of its moment", n)
		}
	}
	if g.hash("m", key, "").SHA256 != sums[3] || g.hash("m", key, "s2").SHA256 == sums[3] {
		t.Fatal("the live disk is not the last state")
	}
	var frozen []snapshot
	g.lab("GET", "frozen?machine=m", nil, &frozen)
	if len(frozen) != 3 || !frozen[2].Removed || frozen[0].Name != "s0" {
		t.Fatalf("%+v", frozen)
	}
	if status, _ := g.call("GET", fmt.Sprintf("/_lab/hash?machine=m&deviceKey=%d&snapshot=s0", disks[1].DeviceKey), nil, nil); status != 404 {
		t.Fatal("an independent disk was frozen")
	}
}
