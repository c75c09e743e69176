package main

import (
	"net"
	"sync"
	"time"

	"github.com/vmware/govmomi/vim25/types"
)

// export is one disk handed out over NBD: a snapshot's frozen bytes, the live disk of a machine that is off, or to its own
// guest that of one that runs.
type export struct {
	id, name string
	snapshot types.ManagedObjectReference
	machine  *machine
	disk     *attached
	view     view
	capacity int64
	writable bool
	openedAt time.Time
	stun     *sync.RWMutex // of a guest: held for reading while it writes, so that a snapshot freezes all disks at one instant

	gate  sync.RWMutex // held for reading while a change is carried out: after close no write is under way
	ended bool

	mu      sync.Mutex
	conns   map[net.Conn]bool
	aloneAt time.Time // since then no connection is open
}

// usable says whether requests may be served now. Without a snapshot a machine that was started owns its disk again.
func (e *export) usable() bool {
	e.gate.RLock()
	defer e.gate.RUnlock()
	return e.isUsable()
}

func (e *export) isUsable() bool {
	if e.isGuest() {
		return !e.ended && e.machine.on.Load()
	}
	return !e.ended && !e.machine.cutOff.Load() && (e.snapshot.Value != "" || !e.machine.on.Load())
}

func (e *export) isGuest() bool { return e.stun != nil }

// locks says whether the disk is locked for everybody else, as VMFS does for a writer from outside.
func (e *export) locks() bool { return e.writable && !e.isGuest() }

// change runs a write as long as the export lives; false when it has ended.
func (e *export) change(write func() error) (bool, error) {
	if e.isGuest() {
		e.stun.RLock()
		defer e.stun.RUnlock()
	}
	e.gate.RLock()
	defer e.gate.RUnlock()
	if !e.isUsable() {
		return false, nil
	}
	return true, write()
}

func (e *export) track(conn net.Conn, open bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if open {
		e.conns[conn] = true
		return
	}
	delete(e.conns, conn)
	if len(e.conns) == 0 {
		e.aloneAt = time.Now()
	}
}

// lapsed says whether no connection was open for the whole lease.
func (e *export) lapsed(lease time.Duration) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.conns) == 0 && time.Since(e.aloneAt) > lease
}

func (e *export) end() {
	e.gate.Lock()
	defer e.gate.Unlock()
	e.ended = true
}

func (e *export) close() {
	e.end()
	e.mu.Lock()
	defer e.mu.Unlock()
	for conn := range e.conns {
		conn.Close()
	}
}

// exports knows all of them, and with them who may write a disk.
type exports struct {
	mu      sync.Mutex
	byID    map[string]*export
	lease   time.Duration
	pace    pace
	addr    *net.TCPAddr
	history *history
}

func newExports(history *history) *exports {
	return &exports{byID: map[string]*export{}, history: history}
}

func (x *exports) add(e *export) *export {
	e.id, e.name, e.conns = randomHex(8), randomHex(24), map[net.Conn]bool{}
	e.openedAt = time.Now()
	e.aloneAt = e.openedAt
	x.mu.Lock()
	defer x.mu.Unlock()
	x.byID[e.id] = e
	if e.locks() {
		x.history.write(e, true)
	}
	return e
}

func (x *exports) named(name string) *export {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, e := range x.byID {
		if e.name == name {
			return e
		}
	}
	return nil
}

func (x *exports) remove(id string) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	e := x.byID[id]
	if e != nil {
		x.drop(e)
	}
	return e != nil
}

// drop ends an export; when it returns, nothing is written through it any more.
func (x *exports) drop(e *export) {
	e.close()
	delete(x.byID, e.id)
	if e.locks() {
		x.history.write(e, false)
	}
}

func (x *exports) endMachine(m *machine) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, e := range x.byID {
		if e.machine == m {
			x.drop(e)
		}
	}
}

func (x *exports) endSnapshot(ref types.ManagedObjectReference) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, e := range x.byID {
		if e.snapshot == ref {
			e.end()
		}
	}
}
