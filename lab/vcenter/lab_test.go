package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/property"
	"github.com/vmware/govmomi/session"
	"github.com/vmware/govmomi/task"
	"github.com/vmware/govmomi/vim25"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

// ground is a running practice vCenter and a logged-in client of it.
type ground struct {
	*server
	t      *testing.T
	ctx    context.Context
	client *vim25.Client
	http   *http.Client
	dir    string
	list   string
}

func startGround(t *testing.T, dir string, machines ...inventoryMachine) *ground {
	t.Helper()
	return startGroundIn(t, "", dir, machines...)
}

func startGroundIn(t *testing.T, guestNetwork, dir string, machines ...inventoryMachine) *ground {
	t.Helper()
	if dir == "" {
		dir = t.TempDir()
	}
	list := filepath.Join(t.TempDir(), "inventory.json")
	raw, err := json.Marshal(machines)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(list, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := start(t.Context(), options{
		listen: "127.0.0.1:0", nbdListen: "127.0.0.1:0", stateDir: dir, username: "practice", inventory: list,
		readyFile: filepath.Join(dir, "ready.json"), guestNetwork: guestNetwork,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.close)
	g := &ground{server: s, t: t, ctx: context.Background(), dir: dir, list: list}
	g.http = &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true}}
	if g.client, err = g.login(s.ready.Username, g.password()); err != nil {
		t.Fatal(err)
	}
	return g
}

// afterKill starts another vCenter on what this one would leave if it were killed now.
func (g *ground) afterKill(machines ...inventoryMachine) *ground {
	g.t.Helper()
	copied := filepath.Join(g.t.TempDir(), "copy")
	if err := os.CopyFS(copied, os.DirFS(g.dir)); err != nil {
		g.t.Fatal(err)
	}
	return startGround(g.t, copied, machines...)
}

func (g *ground) password() string {
	raw, err := os.ReadFile(g.ready.PasswordFile)
	if err != nil {
		g.t.Fatal(err)
	}
	return strings.TrimSpace(string(raw))
}

func (g *ground) login(user, password string) (*vim25.Client, error) {
	u, err := url.Parse(g.ready.URL + "/sdk")
	if err != nil {
		return nil, err
	}
	client, err := vim25.NewClient(g.ctx, soap.NewClient(u, true))
	if err != nil {
		return nil, err
	}
	return client, session.NewManager(client).Login(g.ctx, url.UserPassword(user, password))
}

func (g *ground) cookie() *http.Cookie {
	u, _ := url.Parse(g.ready.URL)
	for _, cookie := range g.client.Jar.Cookies(u) {
		if cookie.Name == soap.SessionCookieName {
			return cookie
		}
	}
	g.t.Fatal("no session cookie")
	return nil
}

// call sends JSON and returns status and body.
func (g *ground) call(method, path string, body any, cookie *http.Cookie) (int, []byte) {
	g.t.Helper()
	var payload io.Reader
	switch b := body.(type) {
	case nil:
	case []byte:
		payload = bytes.NewReader(b)
	default:
		raw, err := json.Marshal(b)
		if err != nil {
			g.t.Fatal(err)
		}
		payload = bytes.NewReader(raw)
	}
	request, err := http.NewRequest(method, g.ready.URL+path, payload)
	if err != nil {
		g.t.Fatal(err)
	}
	if cookie != nil {
		request.AddCookie(cookie)
	}
	response, err := g.http.Do(request)
	if err != nil {
		g.t.Fatal(err)
	}
	defer response.Body.Close()
	raw, err := io.ReadAll(response.Body)
	if err != nil {
		g.t.Fatal(err)
	}
	return response.StatusCode, raw
}

func (g *ground) lab(method, path string, body, into any) {
	g.t.Helper()
	status, raw := g.call(method, "/_lab/"+path, body, nil)
	if status >= 300 {
		g.t.Fatalf("%s %s: %d %s", method, path, status, raw)
	}
	if into != nil {
		if err := json.Unmarshal(raw, into); err != nil {
			g.t.Fatal(err)
		}
	}
}

func (g *ground) info(name string) labMachineInfo {
	g.t.Helper()
	var all []labMachineInfo
	g.lab("GET", "machines", nil, &all)
	for _, m := range all {
		if m.Name == name {
			return m
		}
	}
	g.t.Fatalf("no machine %s", name)
	return labMachineInfo{}
}

func (g *ground) vm(name string) *object.VirtualMachine {
	return object.NewVirtualMachine(g.client, types.ManagedObjectReference{Type: "VirtualMachine", Value: g.info(name).MoRef})
}

func (g *ground) write(name string, key int32, offset int64, data []byte) {
	g.t.Helper()
	g.lab("POST", "guest/write", map[string]any{"machine": name, "deviceKey": key, "offset": offset, "hex": fmt.Sprintf("%x", data)}, nil)
}

func (g *ground) wait(t *object.Task, err error) *types.TaskInfo {
	g.t.Helper()
	if err != nil {
		g.t.Fatal(err)
	}
	info, err := t.WaitForResult(g.ctx, nil)
	if err != nil {
		g.t.Fatal(err)
	}
	return info
}

func (g *ground) snapshot(vm *object.VirtualMachine, name string) types.ManagedObjectReference {
	g.t.Helper()
	return g.wait(vm.CreateSnapshot(g.ctx, name, "", false, false)).Result.(types.ManagedObjectReference)
}

func (g *ground) remove(ref types.ManagedObjectReference) {
	g.t.Helper()
	response, err := methods.RemoveSnapshot_Task(g.ctx, g.client, &types.RemoveSnapshot_Task{This: ref})
	if err != nil {
		g.t.Fatal(err)
	}
	g.wait(object.NewTask(g.client, response.Returnval), nil)
}

func (g *ground) track(vm *object.VirtualMachine, on bool) {
	g.t.Helper()
	g.wait(vm.Reconfigure(g.ctx, types.VirtualMachineConfigSpec{ChangeTrackingEnabled: &on}))
	g.remove(g.snapshot(vm, "stun"))
}

// backing reads a disk's backing as the snapshot (or, with the machine's reference, the machine) shows it.
func (g *ground) backing(ref types.ManagedObjectReference, key int32) *types.VirtualDiskFlatVer2BackingInfo {
	g.t.Helper()
	var devices []types.BaseVirtualDevice
	collector := property.DefaultCollector(g.client)
	if ref.Type == "VirtualMachine" {
		var vm mo.VirtualMachine
		if err := collector.RetrieveOne(g.ctx, ref, []string{"config.hardware.device"}, &vm); err != nil {
			g.t.Fatal(err)
		}
		devices = vm.Config.Hardware.Device
	} else {
		var snap mo.VirtualMachineSnapshot
		if err := collector.RetrieveOne(g.ctx, ref, []string{"config"}, &snap); err != nil {
			g.t.Fatal(err)
		}
		devices = snap.Config.Hardware.Device
	}
	return findDisk(devices, key).Backing.(*types.VirtualDiskFlatVer2BackingInfo)
}

func (g *ground) query(vm *object.VirtualMachine, snap *types.ManagedObjectReference, key int32, offset int64, changeID string) (*types.DiskChangeInfo, error) {
	response, err := methods.QueryChangedDiskAreas(g.ctx, g.client, &types.QueryChangedDiskAreas{
		This: vm.Reference(), Snapshot: snap, DeviceKey: key, StartOffset: offset, ChangeId: changeID,
	})
	if err != nil {
		return nil, err
	}
	return &response.Returnval, nil
}

// changed follows the pages of the answer to the end of the disk.
func (g *ground) changed(vm *object.VirtualMachine, snap types.ManagedObjectReference, key int32, capacity int64, changeID string) (areas []types.DiskChangeExtent, calls int) {
	g.t.Helper()
	for offset := int64(0); offset < capacity; calls++ {
		info, err := g.query(vm, &snap, key, offset, changeID)
		if err != nil {
			g.t.Fatal(err)
		}
		if info.Length <= 0 || len(info.ChangedArea) > maxAreas {
			g.t.Fatalf("length %d, %d areas", info.Length, len(info.ChangedArea))
		}
		areas = append(areas, info.ChangedArea...)
		offset += info.Length
	}
	return areas, calls
}

func (g *ground) hash(name string, key int32, snap string) digest {
	g.t.Helper()
	var d digest
	g.lab("GET", fmt.Sprintf("hash?machine=%s&deviceKey=%d&snapshot=%s", name, key, url.QueryEscape(snap)), nil, &d)
	return d
}

func faultName(err error) string {
	if err == nil {
		return ""
	}
	if soap.IsSoapFault(err) {
		return fmt.Sprintf("%T", soap.ToSoapFault(err).VimFault())
	}
	return fmt.Sprintf("%T %v", err, err)
}

func expectFault(t *testing.T, err error, want string) {
	t.Helper()
	if got := faultName(err); got != "types."+want {
		t.Fatalf("fault %q instead of %s", got, want)
	}
}

func (g *ground) createVM(folder, pool types.ManagedObjectReference, spec types.VirtualMachineConfigSpec) {
	g.t.Helper()
	task, err := object.NewFolder(g.client, folder).CreateVM(g.ctx, spec, object.NewResourcePool(g.client, pool), nil)
	g.wait(task, err)
}

// taskFault is the name of the fault a task ended in; empty when it succeeded.
func (g *ground) taskFault(t *object.Task, err error) string {
	g.t.Helper()
	if err != nil {
		return "call: " + faultName(err)
	}
	if err = t.Wait(g.ctx); err == nil {
		return ""
	}
	var failed task.Error
	if !errors.As(err, &failed) {
		g.t.Fatal(err)
	}
	return strings.TrimPrefix(fmt.Sprintf("%T", failed.LocalizedMethodFault.Fault), "*types.")
}

func (g *ground) expectTaskFault(want string) func(*object.Task, error) {
	return func(t *object.Task, err error) {
		g.t.Helper()
		if got := g.taskFault(t, err); got != want {
			g.t.Fatalf("the task ended in %q instead of %s", got, want)
		}
	}
}
