package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strconv"
	"testing"
)

// nbdClient is the least that can check the server: one request at a time, structured replies.
type nbdClient struct {
	t        *testing.T
	conn     net.Conn
	size     int64
	flags    uint16
	contexts bool
}

func dialNBD(t *testing.T, host string, port int, name string) *nbdClient {
	t.Helper()
	conn, err := net.Dial("tcp", net.JoinHostPort(host, strconv.Itoa(port)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	c := &nbdClient{t: t, conn: conn}
	if hello := c.read(18); be.Uint64(hello) != nbdMagic || be.Uint16(hello[16:]) != 3 {
		t.Fatalf("hello %x", hello)
	}
	c.send(be.AppendUint32(nil, 3))
	c.option(optStructured, nil)
	named := append(be.AppendUint32(nil, uint32(len(name))), name...)
	query := append(be.AppendUint32(be.AppendUint32(bytes.Clone(named), 1), 15), "base:allocation"...)
	c.option(optSetContexts, query)
	c.option(optGo, be.AppendUint16(named, 0))
	return c
}

func (c *nbdClient) send(p []byte) {
	c.t.Helper()
	if _, err := c.conn.Write(p); err != nil {
		c.t.Fatal(err)
	}
}

func (c *nbdClient) read(n int) []byte {
	c.t.Helper()
	p := make([]byte, n)
	if _, err := io.ReadFull(c.conn, p); err != nil {
		c.t.Fatal(err)
	}
	return p
}

func (c *nbdClient) option(option uint32, data []byte) {
	c.t.Helper()
	c.send(append(be.AppendUint32(be.AppendUint32(be.AppendUint64(nil, optionMagic), option), uint32(len(data))), data...))
	for {
		head := c.read(20)
		body := c.read(int(be.Uint32(head[16:])))
		switch kind := be.Uint32(head[12:]); kind {
		case repAck:
			return
		case repInfo:
			if be.Uint16(body) == infoExport {
				c.size, c.flags = int64(be.Uint64(body[2:])), be.Uint16(body[10:])
			}
		case repContext:
			c.contexts = true
		default:
			c.t.Fatalf("option %d: reply %x", option, kind)
		}
	}
}

func (c *nbdClient) ask(command uint16, offset int64, length int, payload []byte) {
	c.t.Helper()
	head := be.AppendUint16(be.AppendUint16(be.AppendUint32(nil, requestMagic), 0), command)
	head = be.AppendUint64(be.AppendUint64(head, 77), uint64(offset))
	c.send(append(be.AppendUint32(head, uint32(length)), payload...))
}

// change sends a request without data in the answer and returns the NBD error.
func (c *nbdClient) change(command uint16, offset int64, length int, payload []byte) uint32 {
	c.t.Helper()
	c.ask(command, offset, length, payload)
	head := c.read(16)
	if be.Uint32(head) != simpleMagic || be.Uint64(head[8:]) != 77 {
		c.t.Fatalf("reply %x", head)
	}
	return be.Uint32(head[4:])
}

var errNBD = errors.New("NBD error")

// chunks collects a structured answer: the bytes of a read, or the status pairs.
func (c *nbdClient) chunks(offset int64, length int) ([]byte, []uint32, error) {
	c.t.Helper()
	data, holes := make([]byte, length), []uint32(nil)
	var failure error
	for {
		head := c.read(20)
		body := c.read(int(be.Uint32(head[16:])))
		switch be.Uint16(head[6:]) {
		case chunkData:
			copy(data[int64(be.Uint64(body))-offset:], body[8:])
		case chunkHole:
		case chunkStatus:
			for rest := body[4:]; len(rest) > 0; rest = rest[4:] {
				holes = append(holes, be.Uint32(rest))
			}
		default:
			failure = fmt.Errorf("%w %d", errNBD, be.Uint32(body))
		}
		if be.Uint16(head[4:])&chunkDone != 0 {
			return data, holes, failure
		}
	}
}

func (c *nbdClient) get(offset int64, length int) ([]byte, error) {
	c.t.Helper()
	c.ask(cmdRead, offset, length, nil)
	data, _, err := c.chunks(offset, length)
	return data, err
}

type openedExport struct {
	ID, Host, ExportName string
	Port                 int
}

func (g *ground) open(want int, request map[string]any) openedExport {
	g.t.Helper()
	status, raw := g.call("POST", "/disk-export/v1/exports", request, g.cookie())
	if status != want {
		g.t.Fatalf("export: %d %s", status, raw)
	}
	var e openedExport
	if err := json.Unmarshal(raw, &e); err != nil {
		g.t.Fatal(err)
	}
	return e
}

func (g *ground) closeExport(e openedExport) {
	g.t.Helper()
	if status, raw := g.call("DELETE", "/disk-export/v1/exports/"+e.ID, nil, g.cookie()); status != 204 {
		g.t.Fatalf("delete: %d %s", status, raw)
	}
}

func (g *ground) export(want int, request map[string]any) *nbdClient {
	g.t.Helper()
	e := g.open(want, request)
	if want != 201 {
		return nil
	}
	g.t.Cleanup(func() { g.call("DELETE", "/disk-export/v1/exports/"+e.ID, nil, g.cookie()) })
	return dialNBD(g.t, e.Host, e.Port, e.ExportName)
}

func TestWritesOverNBDReadBackAndTrimMakesHoles(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	const capacity = 8 << 20
	g := startGround(t, "", one("m", false, inventoryDisk{MiB: 8}))
	key := g.info("m").Disks[0].DeviceKey
	c := g.export(201, map[string]any{"machine": g.info("m").MoRef, "deviceKey": key, "mode": "write", "snapshot": nil})
	if c.size != capacity || c.flags&2 != 0 || !c.contexts {
		t.Fatalf("size %d, flags %x, contexts %t", c.size, c.flags, c.contexts)
	}
	model := make([]byte, capacity)
	for range 120 {
		length := 1 + random.IntN(300_000)
		offset := random.Int64N(int64(capacity - length))
		part := model[offset : offset+int64(length)]
		switch command := []uint16{cmdWrite, cmdTrim, cmdWriteZeroes, cmdRead}[random.IntN(4)]; command {
		case cmdRead:
			if got, err := c.get(offset, length); err != nil || !bytes.Equal(got, part) {
				t.Fatalf("read %d+%d differs: %v", offset, length, err)
			}
		case cmdWrite:
			newBytes(random.Uint64()).fill(part)
			if code := c.change(command, offset, length, part); code != 0 {
				t.Fatalf("write: %d", code)
			}
		default:
			clear(part)
			if code := c.change(command, offset, length, nil); code != 0 {
				t.Fatalf("zero: %d", code)
			}
		}
	}
	if code := c.change(cmdFlush, 0, 0, nil); code != 0 {
		t.Fatal("flush failed")
	}
	if got, err := c.get(0, capacity); err != nil || !bytes.Equal(got, model) {
		t.Fatalf("the disk differs at the end: %v", err)
	}
	if code := c.change(cmdTrim, 0, capacity, nil); code != 0 {
		t.Fatal("trim failed")
	}
	c.change(cmdWrite, 3*blockBytes, 1, []byte{1})
	c.ask(cmdBlockStatus, 0, capacity, nil)
	_, status, err := c.chunks(0, 0)
	want := fmt.Sprint([]uint32{3 * blockBytes, 3, blockBytes, 0, capacity - 4*blockBytes, 3})
	if err != nil || fmt.Sprint(status) != want {
		t.Fatalf("status %v instead of %s", status, want)
	}
	if code := c.change(cmdWrite, capacity, 1, []byte{1}); code != errNoSpace {
		t.Fatalf("write behind the end: %d", code)
	}
	if _, err := c.get(capacity-1, 2); !errors.Is(err, errNBD) {
		t.Fatal("read behind the end")
	}
}

func TestRequestsInFlightAreAnsweredByTheirCookies(t *testing.T) {
	g := startGround(t, "", one("m", false, inventoryDisk{MiB: 4}))
	c := g.export(201, map[string]any{"machine": g.info("m").MoRef, "deviceKey": g.info("m").Disks[0].DeviceKey, "mode": "write"})
	const requests = 40
	var all []byte
	for n := range uint64(requests) {
		head := be.AppendUint16(be.AppendUint16(be.AppendUint32(nil, requestMagic), 0), cmdWrite)
		head = be.AppendUint64(be.AppendUint64(head, n), n*5000)
		all = append(append(all, be.AppendUint32(head, 5000)...), bytes.Repeat([]byte{byte(n + 1)}, 5000)...)
	}
	c.send(all)
	seen := map[uint64]bool{}
	for range requests {
		head := c.read(16)
		if be.Uint32(head[4:]) != 0 {
			t.Fatalf("reply %x", head)
		}
		seen[be.Uint64(head[8:])] = true
	}
	got, err := c.get(0, requests*5000)
	if err != nil || len(seen) != requests {
		t.Fatalf("%d answers, %v", len(seen), err)
	}
	for i, b := range got {
		if b != byte(i/5000+1) {
			t.Fatalf("byte %d is %d", i, b)
		}
	}
}

func TestExportsNeedALiveSession(t *testing.T) {
	g := startGround(t, "", one("m", true, inventoryDisk{MiB: 1}))
	vm, key := g.vm("m"), g.info("m").Disks[0].DeviceKey
	ref := g.snapshot(vm, "s")
	request := map[string]any{"machine": vm.Reference().Value, "snapshot": ref.Value, "deviceKey": key, "mode": "read"}
	if status, _ := g.call("POST", "/disk-export/v1/exports", request, nil); status != 401 {
		t.Fatalf("without a session: %d", status)
	}
	cookie := g.cookie()
	request["deviceKey"] = 9
	g.export(404, request)
	request["deviceKey"] = key
	c := g.export(201, request)
	if c.flags&2 == 0 || c.change(cmdWrite, 0, 1, []byte{1}) != errPermission {
		t.Fatal("a snapshot's export is writable")
	}
	g.lab("POST", "sessions/kill", nil, nil)
	if status, _ := g.call("POST", "/disk-export/v1/exports", request, cookie); status != 401 {
		t.Fatalf("with a killed session: %d", status)
	}
}

func TestRemovingASnapshotEndsItsExports(t *testing.T) {
	g := startGround(t, "", one("m", true, inventoryDisk{MiB: 1}))
	vm, key := g.vm("m"), g.info("m").Disks[0].DeviceKey
	g.write("m", key, 0, []byte("before"))
	ref := g.snapshot(vm, "s")
	c := g.export(201, map[string]any{"machine": vm.Reference().Value, "snapshot": ref.Value, "deviceKey": key, "mode": "read"})
	g.write("m", key, 0, []byte("after!"))
	if got, err := c.get(0, 6); err != nil || string(got) != "before" {
		t.Fatalf("%q %v", got, err)
	}
	g.remove(ref)
	if _, err := c.get(0, 6); !errors.Is(err, errNBD) {
		t.Fatalf("read after removal: %v", err)
	}
}

func TestADiskInUseIsLocked(t *testing.T) {
	g := startGround(t, "", one("m", true, inventoryDisk{MiB: 1}))
	vm, key := g.vm("m"), g.info("m").Disks[0].DeviceKey
	live := map[string]any{"machine": vm.Reference().Value, "snapshot": nil, "deviceKey": key, "mode": "write"}
	const folder = "/folder/m/m-flat.vmdk?dcPath=DC0&dsName=LocalDS_0"
	g.export(409, live)
	for _, method := range []string{"GET", "PUT"} {
		if status, _ := g.call(method, folder, []byte("x"), g.cookie()); status != 409 {
			t.Fatalf("%s of a disk in use: %d", method, status)
		}
	}
	g.wait(vm.PowerOff(g.ctx))
	if status, _ := g.call("GET", folder, nil, nil); status != 401 {
		t.Fatalf("folder without a session: %d", status)
	}
	if status, _ := g.call("PUT", folder, []byte("put by a client"), g.cookie()); status != 201 {
		t.Fatalf("PUT: %d", status)
	}
	if status, body := g.call("GET", folder, nil, g.cookie()); status != 200 || len(body) != 1<<20 || !bytes.HasPrefix(body, []byte("put by a client\x00")) {
		t.Fatalf("GET: %d, %d bytes", status, len(body))
	}
	c := g.export(201, live)
	if c.change(cmdWrite, 0, 3, []byte("nbd")) != 0 {
		t.Fatal("write to a machine that is off")
	}
	g.lab("POST", "write-lease", map[string]int{"ms": 60_000}, nil)
	c.conn.Close()
	eventually(t, "the connection is gone", func() bool { return g.connections(vm.Reference()) == 0 })
	g.expectTaskFault("FileLocked")(vm.PowerOn(g.ctx))
	g.lab("POST", "write-lease", map[string]int{"ms": 0}, nil)
	g.wait(vm.PowerOn(g.ctx))
}
