package main

import (
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

type workload struct {
	Seed           uint64 `json:"seed"`
	BytesPerSecond int64  `json:"bytesPerSecond"`
	BlockBytes     int64  `json:"blockBytes"`

	bytes, pages atomic.Int64
	changed      blockSet
	stop         chan struct{}
	done         chan struct{}
}

// blockSet counts the distinct 4 KiB blocks that were written.
type blockSet struct {
	mu     sync.Mutex
	blocks map[*disk]map[int64]struct{}
}

func (b *blockSet) add(d *disk, offset, length int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.blocks == nil {
		b.blocks = map[*disk]map[int64]struct{}{}
	}
	if b.blocks[d] == nil {
		b.blocks[d] = map[int64]struct{}{}
	}
	for at := offset / dbPageBytes; at <= (offset+length-1)/dbPageBytes; at++ {
		b.blocks[d][at] = struct{}{}
	}
}

func (b *blockSet) bytes() int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	count := 0
	for _, blocks := range b.blocks {
		count += len(blocks)
	}
	return int64(count) * dbPageBytes
}

type guests struct {
	v       *vcenter
	mu      sync.Mutex
	running map[string]*workload
}

func newGuests(v *vcenter) *guests { return &guests{v: v, running: map[string]*workload{}} }

type target struct {
	disk   *attached
	at     region
	paged  bool // a database file: pages keep their number and checksum
	before int64
}

// start writes at random places of the targets until it is stopped. While the machine is off it pauses.
func (g *guests) start(m *machine, w *workload, targets []target) {
	g.stop(m.name)
	w.stop, w.done = make(chan struct{}), make(chan struct{})
	g.mu.Lock()
	g.running[m.name] = w
	g.mu.Unlock()
	go func() {
		defer close(w.done)
		random := rand.New(rand.NewPCG(w.Seed, 0))
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		last, owed := time.Now(), 0.0
		for {
			select {
			case <-w.stop:
				return
			case now := <-tick.C:
				owed = min(owed+now.Sub(last).Seconds()*float64(w.BytesPerSecond), float64(max(w.BytesPerSecond, w.BlockBytes)))
				last = now
			}
			for owed >= float64(w.BlockBytes) {
				if g.writeOnce(m, w, targets, random) != nil {
					owed = 0
					break
				}
				owed -= float64(w.BlockBytes)
			}
		}
	}()
}

func (g *guests) writeOnce(m *machine, w *workload, targets []target, random *rand.Rand) error {
	t := targets[random.IntN(len(targets))]
	block := min(w.BlockBytes, t.at.Length)
	offset := random.Int64N(t.at.Length/block) * block
	data := make([]byte, block)
	if t.paged {
		for at := int64(0); at < block; at += dbPageBytes {
			databasePage(data[at:at+dbPageBytes], uint64((t.before+offset+at)/dbPageBytes), uint64(w.pages.Load()+at/dbPageBytes+1))
		}
	} else {
		newBytes(random.Uint64()).fill(data)
	}
	if err := g.v.guestWrite(m, t.disk, data, t.at.Offset+offset); err != nil {
		return err
	}
	w.changed.add(t.disk.disk, t.at.Offset+offset, block)
	w.bytes.Add(block)
	w.pages.Add(max(block/dbPageBytes, 1))
	return nil
}

func (g *guests) stop(name string) *workload {
	g.mu.Lock()
	w := g.running[name]
	delete(g.running, name)
	g.mu.Unlock()
	if w != nil {
		close(w.stop)
		<-w.done
	}
	return w
}

func (g *guests) stopAll() {
	g.mu.Lock()
	names := make([]string, 0, len(g.running))
	for name := range g.running {
		names = append(names, name)
	}
	g.mu.Unlock()
	for _, name := range names {
		g.stop(name)
	}
}

func (v *vcenter) labStartWorkload(w http.ResponseWriter, r *http.Request) {
	var body struct {
		Machine   string `json:"machine"`
		DeviceKey *int32 `json:"deviceKey"`
		workload
	}
	if !decode(w, r, &body) {
		return
	}
	m := v.labMachine(w, body.Machine)
	if m == nil {
		return
	}
	run := &workload{Seed: body.Seed, BytesPerSecond: body.BytesPerSecond, BlockBytes: body.BlockBytes}
	if run.BlockBytes == 0 {
		run.BlockBytes = dbPageBytes
	}
	targets := v.targets(m, body.DeviceKey)
	if run.BytesPerSecond <= 0 || run.BlockBytes%dbPageBytes != 0 || run.BlockBytes < 0 || len(targets) == 0 {
		refuse(w, http.StatusBadRequest, "bytesPerSecond above 0, blockBytes a multiple of 4096, and a disk are needed")
		return
	}
	v.guests.start(m, run, targets)
	w.WriteHeader(http.StatusNoContent)
}

func (v *vcenter) labWorkload(w http.ResponseWriter, r *http.Request) {
	v.guests.mu.Lock()
	run := v.guests.running[r.URL.Query().Get("machine")]
	v.guests.mu.Unlock()
	describeWorkload(w, run, run != nil)
}

func (v *vcenter) labStopWorkload(w http.ResponseWriter, r *http.Request) {
	describeWorkload(w, v.guests.stop(r.URL.Query().Get("machine")), false)
}

func describeWorkload(w http.ResponseWriter, run *workload, running bool) {
	if run == nil {
		run = &workload{}
	}
	answer(w, http.StatusOK, map[string]any{"running": running, "bytes": run.bytes.Load(), "pages": run.pages.Load(), "changedBytes": run.changed.bytes()})
}
