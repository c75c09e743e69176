package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"sync"

	"github.com/vmware/govmomi/vim25/types"
)

// An application stands in the first KiB of a machine's first disk; lab/application.ts says how it is written.
const (
	applicationBytes = 1024
	applicationMagic = "SWITCHBACK PRACTICE APPLICATION\n"
)

type application struct {
	Name string `json:"name"`
	TCP  []int  `json:"tcp"`
	HTTP []struct {
		Port  int               `json:"port"`
		Pages map[string]string `json:"pages"`
	} `json:"http"`
}

func (a *application) pages(port int) map[string]string {
	if a != nil {
		for _, each := range a.HTTP {
			if each.Port == port {
				return each.Pages
			}
		}
	}
	return nil
}

// answering lets the machines that run answer on this host, each at an address of its own, from the bytes of their disks.
type answering struct {
	network netip.Prefix                            // not valid: nobody answers
	known   map[types.ManagedObjectReference]*guest // guarded by the vcenter's mu

	mu      sync.Mutex // never taken by who holds the vcenter's
	serving map[types.ManagedObjectReference]served
	closed  bool
}

type guest struct {
	number int // last part of its address
	on     bool
	cycle  int // counts how often it was switched on or off
}

// served is what runs of a machine since it was switched on.
type served struct {
	cycle   int
	servers []io.Closer
}

// newAnswering takes a network on loopback such as 127.32.251.0/24, or nothing.
func newAnswering(network string) (*answering, error) {
	a := &answering{known: map[types.ManagedObjectReference]*guest{}, serving: map[types.ManagedObjectReference]served{}}
	if network == "" {
		return a, nil
	}
	prefix, err := netip.ParsePrefix(network)
	if err != nil || !prefix.Addr().Is4() || !prefix.Addr().IsLoopback() || prefix.Bits() != 24 || prefix.Masked() != prefix {
		return nil, fmt.Errorf("--guest-network is a network such as 127.32.251.0/24, not %s", network)
	}
	a.network = prefix
	return a, nil
}

// addressOf gives the machine an address for as long as it is known; empty: guests have none of this host.
func (a *answering) addressOf(ref types.ManagedObjectReference) string {
	if !a.network.IsValid() {
		return ""
	}
	if a.known[ref] == nil {
		taken := make([]bool, 255)
		taken[0] = true
		for _, g := range a.known {
			taken[g.number] = true
		}
		free := slices.Index(taken, false)
		if free < 0 {
			return ""
		}
		a.known[ref] = &guest{number: free}
	}
	octets := a.network.Addr().As4()
	octets[3] = byte(a.known[ref].number)
	return netip.AddrFrom4(octets).String()
}

// followGuest starts or ends the machine's application as it was switched on or off. Called with mu held.
func (v *vcenter) followGuest(m *machine) {
	address := v.answering.addressOf(m.ref)
	if address == "" {
		return
	}
	g := v.answering.known[m.ref]
	if on := m.on.Load(); g.on != on {
		g.on, g.cycle = on, g.cycle+1
		go v.answering.settle(v, m, address)
	}
}

// forgetGuest ends the application of a machine that is gone, and frees its address. Called with mu held.
func (v *vcenter) forgetGuest(m *machine) {
	delete(v.answering.known, m.ref)
	go v.answering.settle(v, m, "")
}

// cycleOf tells whether the machine is on, and since which switching.
func (v *vcenter) cycleOf(m *machine) (int, bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if g := v.answering.known[m.ref]; g != nil {
		return g.cycle, g.on
	}
	return 0, false
}

func (a *answering) settle(v *vcenter, m *machine, address string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	cycle, on := v.cycleOf(m)
	if running, found := a.serving[m.ref]; found && (!on || running.cycle != cycle) {
		a.stop(m.ref)
	}
	if _, found := a.serving[m.ref]; !found && on && !a.closed {
		a.serving[m.ref] = served{cycle, a.start(v, m, address)}
	}
}

func (a *answering) start(v *vcenter, m *machine, address string) []io.Closer {
	servers := []io.Closer{}
	app := v.applicationOf(m)
	if app == nil {
		return servers
	}
	listen := func(port int, serve func(net.Listener) io.Closer) {
		listener, err := net.Listen("tcp", net.JoinHostPort(address, strconv.Itoa(port)))
		if err != nil {
			log.Printf("%s cannot answer: %v", m.name, err)
			return
		}
		servers = append(servers, serve(listener))
	}
	for _, port := range app.TCP {
		listen(port, func(l net.Listener) io.Closer { return v.answerTCP(m, l) })
	}
	for _, each := range app.HTTP {
		listen(each.Port, func(l net.Listener) io.Closer { return v.answerHTTP(m, l, each.Port) })
	}
	return servers
}

func (a *answering) stop(ref types.ManagedObjectReference) {
	for _, server := range a.serving[ref].servers {
		server.Close()
	}
	delete(a.serving, ref)
}

func (a *answering) stopAll() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.closed = true
	for ref := range a.serving {
		a.stop(ref)
	}
}

// applicationOf reads the first disk as it is now; nil: it carries none.
func (v *vcenter) applicationOf(m *machine) *application {
	v.mu.Lock()
	disks := m.disks
	v.mu.Unlock()
	if len(disks) == 0 {
		return nil
	}
	start := make([]byte, min(applicationBytes, disks[0].capacity))
	if err := disks[0].store.liveView().readAt(start, 0); err != nil {
		return nil
	}
	text, _, _ := bytes.Cut(start, []byte{0})
	text, found := bytes.CutPrefix(text, []byte(applicationMagic))
	app := &application{}
	if !found || json.Unmarshal(text, app) != nil {
		return nil
	}
	return app
}

// answerTCP says the application's name to whoever connects.
func (v *vcenter) answerTCP(m *machine, listener net.Listener) io.Closer {
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			if app := v.applicationOf(m); app != nil {
				fmt.Fprintln(conn, app.Name)
			}
			conn.Close()
		}
	}()
	return listener
}

func (v *vcenter) answerHTTP(m *machine, listener net.Listener, port int) io.Closer {
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, found := v.applicationOf(m).pages(port)[r.URL.Path]
		status, err := strconv.Atoi(body)
		switch {
		case !found:
			w.WriteHeader(http.StatusNotFound)
		case err == nil && len(body) == 3 && status >= 100 && status < 600:
			w.WriteHeader(status)
		default:
			io.WriteString(w, body)
		}
	})}
	go server.Serve(listener)
	return server
}
