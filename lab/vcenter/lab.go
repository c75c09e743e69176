package main

import (
	"cmp"
	"encoding/hex"
	"net/http"
	"slices"
	"strconv"
	"time"
)

const maxHashPieceBytes = 64 << 20

// routes are the practice controls, beside the disk export service and the locked datastore folder.
func (v *vcenter) routes(mux *http.ServeMux, cert *certificate) {
	mux.HandleFunc("POST /disk-export/v1/exports", v.requireSession(v.createExport))
	mux.HandleFunc("DELETE /disk-export/v1/exports/{id}", v.requireSession(v.deleteExport))
	for _, method := range []string{"GET", "PUT", "POST", "DELETE"} {
		mux.HandleFunc(method+" /folder/", v.requireSession(v.serveFolder))
	}
	mux.HandleFunc("GET /_lab/machines", v.labMachines)
	mux.HandleFunc("GET /_lab/frozen", v.labFrozen)
	mux.HandleFunc("GET /_lab/hash", v.labHash)
	mux.HandleFunc("POST /_lab/guest/write", v.labWrite)
	mux.HandleFunc("POST /_lab/guest/disk", v.labGuestDisk)
	mux.HandleFunc("POST /_lab/guest/workload", v.labStartWorkload)
	mux.HandleFunc("GET /_lab/guest/workload", v.labWorkload)
	mux.HandleFunc("DELETE /_lab/guest/workload", v.labStopWorkload)
	mux.HandleFunc("POST /_lab/power", v.labPower)
	mux.HandleFunc("POST /_lab/privileges", v.labPrivileges)
	mux.HandleFunc("POST /_lab/tags", v.labTags)
	mux.HandleFunc("POST /_lab/tagging", v.labTagging)
	mux.HandleFunc("GET /_lab/datastores", v.labDatastores)
	mux.HandleFunc("POST /_lab/datastore", v.labDatastore)
	mux.HandleFunc("GET /_lab/hosts", v.labHosts)
	mux.HandleFunc("POST /_lab/host", v.labHost)
	mux.HandleFunc("POST /_lab/disk/add", v.labAddDisk)
	mux.HandleFunc("POST /_lab/disk/grow", v.labGrowDisk)
	mux.HandleFunc("POST /_lab/guest/tools", v.labTools)
	mux.HandleFunc("POST /_lab/write-lease", v.labWriteLease)
	mux.HandleFunc("GET /_lab/history", v.labHistory)
	mux.HandleFunc("POST /_lab/cbt-reset", v.labResetTracking)
	mux.HandleFunc("POST /_lab/faults", v.labAddFault)
	mux.HandleFunc("DELETE /_lab/faults", func(w http.ResponseWriter, _ *http.Request) {
		v.faults.clear()
		w.WriteHeader(http.StatusNoContent)
	})
	mux.HandleFunc("POST /_lab/delays", v.labDelays)
	mux.HandleFunc("POST /_lab/sessions/kill", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, http.StatusOK, map[string]int{"killed": v.killSessions()})
	})
	mux.HandleFunc("POST /_lab/certificate/rotate", func(w http.ResponseWriter, _ *http.Request) {
		if err := cert.rotate(); err != nil {
			refuse(w, http.StatusInternalServerError, err.Error())
			return
		}
		answer(w, http.StatusOK, map[string]string{"certificateSha256": cert.sha256(), "certificateFile": cert.certFile})
	})
}

func (v *vcenter) labMachine(w http.ResponseWriter, name string) *machine {
	m := v.machineNamed(name)
	if m == nil {
		refuse(w, http.StatusNotFound, "unknown machine "+name)
	}
	return m
}

func (v *vcenter) labDisk(w http.ResponseWriter, name string, key int32) (*machine, *attached) {
	m := v.labMachine(w, name)
	if m == nil {
		return nil, nil
	}
	v.mu.Lock()
	a := m.disk(key)
	v.mu.Unlock()
	if a == nil {
		refuse(w, http.StatusNotFound, "unknown disk")
	}
	return m, a
}

type labDisk struct {
	DeviceKey     int32  `json:"deviceKey"`
	CapacityBytes int64  `json:"capacityBytes"`
	FileName      string `json:"fileName"`
	Mode          string `json:"mode"`
	Backing       string `json:"backing"`
	Tracked       bool   `json:"tracked"`
}

type labSnapshot struct {
	Name  string `json:"name"`
	MoRef string `json:"moRef"`
}

type labMachineInfo struct {
	Name         string        `json:"name"`
	MoRef        string        `json:"moRef"`
	InstanceUUID string        `json:"instanceUuid"`
	PowerState   string        `json:"powerState"`
	Snapshots    []labSnapshot `json:"snapshots"`
	Disks        []labDisk     `json:"disks"`
}

func (v *vcenter) labMachines(w http.ResponseWriter, _ *http.Request) {
	v.mu.Lock()
	defer v.mu.Unlock()
	out := make([]labMachineInfo, 0, len(v.byRef))
	for _, m := range v.byRef {
		info := labMachineInfo{Name: m.name, MoRef: m.ref.Value, InstanceUUID: m.uuid, PowerState: "poweredOff", Snapshots: []labSnapshot{}, Disks: []labDisk{}}
		if m.on.Load() {
			info.PowerState = "poweredOn"
		}
		for _, s := range m.present() {
			info.Snapshots = append(info.Snapshots, labSnapshot{s.Name, s.ref.Value})
		}
		for _, a := range m.disks {
			info.Disks = append(info.Disks, labDisk{a.key, a.capacity, a.Live, a.mode, a.backing, a.TrackingID != ""})
		}
		out = append(out, info)
	}
	slices.SortFunc(out, func(a, b labMachineInfo) int { return cmp.Compare(a.Name, b.Name) })
	answer(w, http.StatusOK, out)
}

func (v *vcenter) labFrozen(w http.ResponseWriter, r *http.Request) {
	m := v.labMachine(w, r.URL.Query().Get("machine"))
	if m == nil {
		return
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if m.Snapshots == nil {
		m.Snapshots = []*snapshot{}
	}
	answer(w, http.StatusOK, m.Snapshots)
}

func (v *vcenter) labHash(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	number := func(name string) int64 {
		n, _ := strconv.ParseInt(query.Get(name), 10, 64)
		return max(n, 0)
	}
	m, a := v.labDisk(w, query.Get("machine"), int32(number("deviceKey")))
	if a == nil {
		return
	}
	if number("blockBytes") > maxHashPieceBytes {
		refuse(w, http.StatusBadRequest, "blockBytes is at most 64 MiB")
		return
	}
	source, capacity := view{}, a.capacity
	if name := query.Get("snapshot"); name != "" {
		v.mu.Lock()
		var f *freeze
		if s := m.named(name); s != nil {
			f = a.freezeOf(s.Number)
		}
		v.mu.Unlock()
		if f == nil {
			refuse(w, http.StatusNotFound, "no such frozen disk")
			return
		}
		source, capacity = a.frozenView(f), f.CapacityBytes
	} else {
		source = a.store.momentView()
	}
	result, err := source.hash(capacity, number("padToBytes"), number("blockBytes"))
	if err != nil {
		refuse(w, http.StatusInternalServerError, err.Error())
		return
	}
	answer(w, http.StatusOK, result)
}

func (v *vcenter) labWrite(w http.ResponseWriter, r *http.Request) {
	var body struct {
		Machine   string `json:"machine"`
		DeviceKey int32  `json:"deviceKey"`
		Offset    int64  `json:"offset"`
		Hex       string `json:"hex"`
		Seed      uint64 `json:"seed"`
		Length    int64  `json:"length"`
	}
	if !decode(w, r, &body) {
		return
	}
	m, a := v.labDisk(w, body.Machine, body.DeviceKey)
	if a == nil {
		return
	}
	data, err := hex.DecodeString(body.Hex)
	if body.Hex == "" && body.Length > 0 && body.Length <= 1<<30 {
		data = make([]byte, body.Length)
		newBytes(body.Seed).fill(data)
	}
	if err != nil || len(data) == 0 || body.Offset < 0 || body.Offset+int64(len(data)) > a.capacity {
		refuse(w, http.StatusBadRequest, "hex, or seed and length up to 1 GiB, inside the disk")
		return
	}
	if err := v.guestWrite(m, a, data, body.Offset); err != nil {
		refuse(w, http.StatusConflict, err.Error())
		return
	}
	answer(w, http.StatusOK, map[string]int{"bytes": len(data)})
}

func (v *vcenter) forgetTracking(m *machine) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.resetTracking(m)
	v.save()
}

func (v *vcenter) labResetTracking(w http.ResponseWriter, r *http.Request) {
	var body struct {
		Machine string `json:"machine"`
	}
	if !decode(w, r, &body) {
		return
	}
	if m := v.labMachine(w, body.Machine); m != nil {
		v.forgetTracking(m)
		w.WriteHeader(http.StatusNoContent)
	}
}

func (v *vcenter) labAddFault(w http.ResponseWriter, r *http.Request) {
	var rule faultRule
	if !decode(w, r, &rule) {
		return
	}
	if err := v.faults.add(rule); err != nil {
		refuse(w, http.StatusBadRequest, err.Error())
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func (v *vcenter) labDelays(w http.ResponseWriter, r *http.Request) {
	var body struct {
		Methods               map[string]int `json:"methods"`
		NBDReadMs             int64          `json:"nbdReadMs"`
		NBDReadBytesPerSecond int64          `json:"nbdReadBytesPerSecond"`
	}
	if !decode(w, r, &body) {
		return
	}
	v.faults.delay(body.Methods)
	v.exports.pace.set(time.Duration(body.NBDReadMs)*time.Millisecond, body.NBDReadBytesPerSecond)
	w.WriteHeader(http.StatusNoContent)
}

func (v *vcenter) labWriteLease(w http.ResponseWriter, r *http.Request) {
	var body struct {
		Ms int64 `json:"ms"`
	}
	if !decode(w, r, &body) {
		return
	}
	if body.Ms < 0 {
		refuse(w, http.StatusBadRequest, "ms is 0 or more")
		return
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.state.WriteLeaseMs = body.Ms
	v.exports.setLease(time.Duration(body.Ms) * time.Millisecond)
	v.save()
	w.WriteHeader(http.StatusNoContent)
}
