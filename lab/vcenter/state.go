package main

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/google/uuid"
	"github.com/vmware/govmomi/vim25/types"
)

// state is everything that outlives a restart, besides the block stores and the machines' configurations. It is
// written whole after each change.
type state struct {
	dir          string
	lock         *os.File
	InstanceUUID string                     `json:"instanceUuid"`
	Seeded       map[string]bool            `json:"seeded"`   // machines of the inventory that were made once
	Machines     map[string]*machineState   `json:"machines"` // by reference
	Disks        map[string]*disk           `json:"disks"`    // by datastore path of the base file
	Folders      map[string]string          `json:"folders"`  // path to reference
	Datastores   map[string]*datastoreState `json:"datastores"`
	Hosts        map[string]*hostState      `json:"hosts"`
	Missing      map[string][]string        `json:"missing"` // by user: privileges not granted
	WriteLeaseMs int64                      `json:"writeLeaseMs"`
	Highest      int64                      `json:"highest"` // number of a reference: they are never given away twice
}

type machineState struct {
	Name      string      `json:"name"`
	Home      string      `json:"home"` // datastore path of the .vmx
	Folder    string      `json:"folder"`
	Pool      string      `json:"pool"`
	Host      string      `json:"host"`
	PoweredOn bool        `json:"poweredOn"`
	Boots     int         `json:"boots"`
	Snapshots []*snapshot `json:"snapshots"`
	Tools     string      `json:"tools"`
	Current   int         `json:"current"` // number of the snapshot the disks grow from; 0: none
	Tags      []string    `json:"tags"`    // category/tag
}

// snapshot is one entry of the record of everything ever frozen; removed ones stay.
type snapshot struct {
	Number      int                            `json:"number"`
	Parent      int                            `json:"parent"` // 0: a root
	Name        string                         `json:"name"`
	Description string                         `json:"description"`
	TakenAt     time.Time                      `json:"takenAt"`
	State       types.VirtualMachinePowerState `json:"state"` // what the machine becomes after a revert
	Removed     bool                           `json:"removed"`
	Held        bool                           `json:"held"` // removed, but its files stay: several branches grow from them
	Quiesced    bool                           `json:"quiesced"`

	Ref string `json:"ref"`

	ref      types.ManagedObjectReference
	guestRan bool // without a running guest nothing was quiesced
}

type freeze struct {
	Snapshot      int    `json:"snapshot"`
	Map           int    `json:"map"`
	ChangeID      string `json:"changeId"`
	CapacityBytes int64  `json:"capacityBytes"`
	File          string `json:"file"`
	Key           int32  `json:"key"`
}

type disk struct {
	File       string   `json:"file"`       // the base
	Live       string   `json:"live"`       // the one being written: the base, or the delta of the newest snapshot
	TrackingID string   `json:"trackingId"` // empty: changes are not tracked
	Freezes    []freeze `json:"freezes"`
	Database   []region `json:"database"`
	Searched   bool     `json:"searched"` // for database pages
	Owner      string   `json:"owner"`    // reference of the machine it is attached to
	Former     string   `json:"former"`   // the machine before: its snapshots count for nobody else
	Key        int32    `json:"key"`

	store *store
}

// detach leaves the disk to whoever attaches its file next.
func (d *disk) detach() {
	if d.Owner != "" {
		d.Owner, d.Former = "", d.Owner
	}
}

// attachTo gives the disk to a machine. To another one than before it is a disk without snapshots.
func (d *disk) attachTo(machine string, key int32) {
	if d.Former != "" && d.Former != machine {
		d.Freezes, d.Live = nil, d.File
	}
	d.Owner, d.Former, d.Key = machine, "", key
}

func (d *disk) freezeOf(number int) *freeze {
	for i := range d.Freezes {
		if d.Freezes[i].Snapshot == number {
			return &d.Freezes[i]
		}
	}
	return nil
}

func (d *disk) byChangeID(id string) *freeze {
	for i := range d.Freezes {
		if id != "" && d.Freezes[i].ChangeID == id {
			return &d.Freezes[i]
		}
	}
	return nil
}

func (d *disk) frozenView(f *freeze) view { return d.store.frozenView(f.Map) }

// attached is a disk as one machine sees it.
type attached struct {
	*disk
	key         int32
	capacity    int64
	mode        string
	backing     string
	thin        bool
	snapshotted bool // snapshots freeze it: neither independent nor a physical RDM
}

func (a *attached) trackable() bool { return a.snapshotted && a.backing != "shared" }

type machine struct {
	*machineState
	ref    types.ManagedObjectReference
	name   string
	uuid   string
	on     atomic.Bool
	cutOff atomic.Bool // its host or one of its datastores is out of reach
	disks  []*attached
	busy   int // tasks under way that need the disks for themselves

	adopting *snapshot // the one being made again after a restart
}

func (m *machine) disk(key int32) *attached {
	for _, d := range m.disks {
		if d.key == key {
			return d
		}
	}
	return nil
}

func loadState(dir string) (*state, error) {
	if err := os.MkdirAll(filepath.Join(dir, "disks"), 0o700); err != nil {
		return nil, err
	}
	lock, err := lockDir(dir)
	if err != nil {
		return nil, err
	}
	s := &state{dir: dir, lock: lock, InstanceUUID: uuid.NewString(), Seeded: map[string]bool{},
		Machines: map[string]*machineState{}, Disks: map[string]*disk{}, Folders: map[string]string{}, Datastores: map[string]*datastoreState{},
		WriteLeaseMs: defaultWriteLease.Milliseconds(), Hosts: map[string]*hostState{}, Missing: map[string][]string{}}
	raw, err := os.ReadFile(filepath.Join(dir, "state.json"))
	if errors.Is(err, fs.ErrNotExist) { // never populated: nothing of an earlier attempt counts
		return s, errors.Join(os.RemoveAll(s.datastoreDir("")), os.RemoveAll(s.configDir("")))
	}
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(raw, s); err != nil {
		return nil, fmt.Errorf("state.json: %w", err)
	}
	for _, d := range s.Disks {
		if d.store, err = openStore(s.diskDir(d.File)); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// lockDir waits up to 5 s for a practice vCenter that is just ending.
func lockDir(dir string) (*os.File, error) {
	lock, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	for range 50 {
		if err = syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err == nil {
			return lock, nil
		}
		time.Sleep(100 * time.Millisecond)
	}
	return nil, errors.Join(fmt.Errorf("%s is in use by another practice vCenter", dir), lock.Close())
}

func (s *state) save() error {
	raw, err := json.MarshalIndent(s, "", " ")
	if err != nil {
		return err
	}
	return writeFileAtomically(filepath.Join(s.dir, "state.json"), raw)
}

// close gives the state directory free for another process.
func (s *state) close() {
	for _, d := range s.Disks {
		d.store.close()
	}
	s.lock.Close()
}

func (s *state) diskDir(file string) string {
	name := sha256.Sum256([]byte(file))
	return filepath.Join(s.dir, "disks", hex.EncodeToString(name[:8]))
}

func (s *state) datastoreDir(name string) string { return filepath.Join(s.dir, "datastores", name) }

func (s *state) configDir(machine string) string { return filepath.Join(s.dir, "machines", machine) }

func (s *state) createDisk(file string) (*disk, error) {
	dir := s.diskDir(file)
	if err := os.RemoveAll(dir); err != nil {
		return nil, err
	}
	blocks, err := openStore(dir)
	if err != nil {
		return nil, err
	}
	d := &disk{File: file, Live: file, store: blocks}
	s.Disks[file] = d
	return d, nil
}

func writeFileAtomically(path string, content []byte) error {
	if err := os.WriteFile(path+".new", content, 0o600); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

func randomHex(bytes int) string {
	raw := make([]byte, bytes)
	rand.Read(raw)
	return hex.EncodeToString(raw)
}
