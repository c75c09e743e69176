package main

import (
	"encoding/json"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

// export is one disk handed out over NBD: a snapshot's frozen bytes, or the live disk of a machine that is off.
type export struct {
	id, name string
	snapshot types.ManagedObjectReference
	machine  *machine
	disk     *attached
	view     view
	capacity int64
	writable bool

	ended   atomic.Bool // reads and writes fail from now on
	writers atomic.Int32
	mu      sync.Mutex
	conns   map[net.Conn]bool
}

// usable says whether requests may still be served. Without a snapshot a machine that was started owns its disk again.
func (e *export) usable() bool {
	return !e.ended.Load() && (e.snapshot.Value != "" || !e.machine.on.Load())
}

func (e *export) track(conn net.Conn, open bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if open {
		e.conns[conn] = true
	} else {
		delete(e.conns, conn)
	}
	if e.writable {
		e.writers.Store(int32(len(e.conns)))
	}
}

func (e *export) close() {
	e.ended.Store(true)
	e.mu.Lock()
	defer e.mu.Unlock()
	for conn := range e.conns {
		conn.Close()
	}
}

type exports struct {
	mu   sync.Mutex
	byID map[string]*export
	pace pace
	addr *net.TCPAddr
}

func newExports() *exports { return &exports{byID: map[string]*export{}} }

func (x *exports) add(e *export) *export {
	e.id, e.name, e.conns = randomHex(8), randomHex(24), map[net.Conn]bool{}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.byID[e.id] = e
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
	e := x.byID[id]
	delete(x.byID, id)
	x.mu.Unlock()
	if e != nil {
		e.close()
	}
	return e != nil
}

func (x *exports) endSnapshot(ref types.ManagedObjectReference) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, e := range x.byID {
		if e.snapshot == ref {
			e.ended.Store(true)
		}
	}
}

func (x *exports) beingWritten(machine types.ManagedObjectReference) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, e := range x.byID {
		if e.machine.ref == machine && e.writers.Load() > 0 {
			return true
		}
	}
	return false
}

// pace slows reads down: a fixed delay each, and a rate over all connections.
type pace struct {
	mu             sync.Mutex
	delay          time.Duration
	bytesPerSecond int64
	next           time.Time
}

func (p *pace) set(delay time.Duration, bytesPerSecond int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.delay, p.bytesPerSecond, p.next = delay, bytesPerSecond, time.Time{}
}

func (p *pace) wait(bytes int64) {
	p.mu.Lock()
	sleep := p.delay
	if p.bytesPerSecond > 0 {
		now := time.Now()
		if p.next.Before(now) {
			p.next = now
		}
		p.next = p.next.Add(time.Duration(float64(bytes) / float64(p.bytesPerSecond) * float64(time.Second)))
		sleep += p.next.Sub(now)
	}
	p.mu.Unlock()
	time.Sleep(sleep)
}

// requireSession lets only requests with the cookie of a live session through.
func (v *vcenter) requireSession(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if cookie, err := r.Cookie(soap.SessionCookieName); err != nil || !v.sessionAlive(cookie.Value) {
			refuse(w, http.StatusUnauthorized, "a live vCenter session is required")
			return
		}
		next(w, r)
	}
}

func (v *vcenter) sessions() []types.UserSession {
	own := &simulator.Session{Registry: simulator.NewRegistry(), Map: v.reg}
	return own.Get(v.reg.SessionManager().Self).(*simulator.SessionManager).SessionList
}

func (v *vcenter) sessionAlive(key string) bool {
	for _, session := range v.sessions() {
		if session.Key == key {
			return true
		}
	}
	return false
}

func (v *vcenter) killSessions() int {
	ctx := &simulator.Context{Map: v.reg, Session: &simulator.Session{Registry: simulator.NewRegistry(), Map: v.reg}}
	list := v.sessions()
	for _, session := range list {
		v.reg.SessionManager().TerminateSession(ctx, &types.TerminateSession{SessionId: []string{session.Key}})
	}
	return len(list)
}

type exportRequest struct {
	Machine   string  `json:"machine"`
	Snapshot  *string `json:"snapshot"`
	DeviceKey int32   `json:"deviceKey"`
	Mode      string  `json:"mode"`
}

func (v *vcenter) createExport(w http.ResponseWriter, r *http.Request) {
	var request exportRequest
	if !decode(w, r, &request) {
		return
	}
	if request.Mode != "read" && request.Mode != "write" || request.Mode == "write" && request.Snapshot != nil {
		refuse(w, http.StatusBadRequest, `mode is "read", or "write" without a snapshot`)
		return
	}
	m := v.machine(types.ManagedObjectReference{Type: "VirtualMachine", Value: request.Machine})
	if m == nil {
		refuse(w, http.StatusNotFound, "unknown machine")
		return
	}
	v.mu.Lock()
	e := v.newExport(m, request)
	v.mu.Unlock()
	switch {
	case e == nil:
		refuse(w, http.StatusNotFound, "unknown disk, or not part of that snapshot")
	case request.Snapshot == nil && m.on.Load():
		refuse(w, http.StatusConflict, "the machine is powered on")
	default:
		v.exports.add(e)
		answer(w, http.StatusCreated, map[string]any{
			"id": e.id, "host": v.exports.addr.IP.String(), "port": v.exports.addr.Port, "exportName": e.name,
		})
	}
}

func (v *vcenter) newExport(m *machine, request exportRequest) *export {
	a := m.disk(request.DeviceKey)
	if a == nil {
		return nil
	}
	if request.Snapshot == nil {
		return &export{machine: m, disk: a, view: a.store.liveView(), capacity: a.capacity, writable: request.Mode == "write"}
	}
	for _, s := range m.present() {
		if f := a.freezeOf(s.Number); f != nil && s.ref.Value == *request.Snapshot {
			return &export{machine: m, disk: a, snapshot: s.ref, view: a.frozenView(f), capacity: f.CapacityBytes}
		}
	}
	return nil
}

func (v *vcenter) deleteExport(w http.ResponseWriter, r *http.Request) {
	if !v.exports.remove(r.PathValue("id")) {
		refuse(w, http.StatusNotFound, "unknown export")
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func decode(w http.ResponseWriter, r *http.Request, into any) bool {
	decoder := json.NewDecoder(http.MaxBytesReader(w, r.Body, 64<<20))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		refuse(w, http.StatusBadRequest, err.Error())
		return false
	}
	return true
}

func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(body)
}

func refuse(w http.ResponseWriter, status int, message string) {
	answer(w, status, map[string]string{"error": message})
}
