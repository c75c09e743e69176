package main

import "net/http"

// labGuestDisk hands a disk to whoever plays the machine's operating system: what comes in over NBD counts as written by the
// guest. It goes on through snapshots and locks nothing, and ends with the machine's power. A disk has one such address at a
// time: a new one ends the one before.
func (v *vcenter) labGuestDisk(w http.ResponseWriter, r *http.Request) {
	var body struct {
		Machine   string `json:"machine"`
		DeviceKey int32  `json:"deviceKey"`
	}
	if !decode(w, r, &body) {
		return
	}
	m, a := v.labDisk(w, body.Machine, body.DeviceKey)
	if a == nil {
		return
	}
	e := v.openGuestDisk(m, a)
	if e == nil {
		refuse(w, http.StatusConflict, errPoweredOff.Error())
		return
	}
	answer(w, http.StatusCreated, map[string]any{
		"host": v.exports.addr.IP.String(), "port": v.exports.addr.Port, "exportName": e.name,
	})
}

// openGuestDisk asks for the power and opens in one step: nil when the machine is off.
func (v *vcenter) openGuestDisk(m *machine, a *attached) *export {
	v.mu.Lock()
	defer v.mu.Unlock()
	if !m.on.Load() {
		return nil
	}
	v.exports.endGuest(m, a.disk)
	return v.exports.add(&export{machine: m, disk: a, view: a.store.liveView(), capacity: a.capacity, writable: true, stun: &v.stun})
}

// endGuest takes the machine's disks from its guest; one of them when a disk is named.
func (x *exports) endGuest(m *machine, d *disk) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, e := range x.byID {
		if e.isGuest() && e.machine == m && (d == nil || e.disk.disk == d) {
			x.drop(e)
		}
	}
}
