package main

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

const (
	dbPageBytes   = 4096
	dbPageMagic   = 0x42445042 // "BPDB"
	dbHeaderBytes = 24
)

// region is a run of bytes on a disk.
type region struct {
	Offset int64 `json:"offset"`
	Length int64 `json:"length"`
}

// newBytes is a quick seeded source of incompressible bytes.
func newBytes(seed uint64) *byteSource { return &byteSource{state: seed*2 + 1} }

type byteSource struct{ state uint64 }

func (s *byteSource) next() uint64 {
	s.state += 0x9e3779b97f4a7c15
	z := s.state
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

func (s *byteSource) fill(p []byte) {
	for len(p) >= 8 {
		binary.LittleEndian.PutUint64(p, s.next())
		p = p[8:]
	}
	for i := range p {
		p[i] = byte(s.next())
	}
}

// databasePage fills a page: magic, CRC-32C of everything after it, page number, generation, then seeded bytes,
// half of which are zero, as in a database.
func databasePage(page []byte, number, generation uint64) {
	clear(page)
	newBytes(number ^ generation<<32).fill(page[dbHeaderBytes : dbPageBytes/2])
	binary.LittleEndian.PutUint32(page, dbPageMagic)
	binary.LittleEndian.PutUint64(page[8:], number)
	binary.LittleEndian.PutUint64(page[16:], generation)
	binary.LittleEndian.PutUint32(page[4:], crc32.Checksum(page[8:], crc32.MakeTable(crc32.Castagnoli)))
}

var errPoweredOff = errors.New("the machine is powered off")

// guestWrite is a write by the machine itself; it waits while a snapshot is being taken.
func (v *vcenter) guestWrite(m *machine, a *attached, data []byte, offset int64) error {
	v.stun.RLock()
	defer v.stun.RUnlock()
	if !m.on.Load() {
		return errPoweredOff
	}
	return a.store.write(data, offset)
}

type workload struct {
	Seed           uint64 `json:"seed"`
	BytesPerSecond int64  `json:"bytesPerSecond"`
	BlockBytes     int64  `json:"blockBytes"`

	bytes, pages atomic.Int64
	stop         chan struct{}
	done         chan struct{}
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

// targets are the database files of the machine; of one disk when deviceKey is given; raw disks count as a whole.
func (v *vcenter) targets(m *machine, deviceKey *int32) []target {
	v.mu.Lock()
	defer v.mu.Unlock()
	var databases, raw []target
	for _, a := range m.disks {
		if deviceKey != nil && *deviceKey != a.key {
			continue
		}
		before := int64(0)
		for _, r := range a.Database {
			databases = append(databases, target{a, r, true, before})
			before += r.Length
		}
		if len(a.Database) == 0 {
			raw = append(raw, target{disk: a, at: region{0, a.capacity}})
		}
	}
	if len(databases) > 0 {
		return databases
	}
	return raw
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
	answer(w, http.StatusOK, map[string]any{"running": running, "bytes": run.bytes.Load(), "pages": run.pages.Load()})
}
