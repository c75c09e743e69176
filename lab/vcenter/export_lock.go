package main

import "time"

// defaultWriteLease is how long a disk stays locked after its writer's connection has gone.
const defaultWriteLease = 10 * time.Second

// writerOf finds who holds the disk open for writing; any disk of the machine when none is named. A writer whose
// connection has been gone for the lease has lost the lock: its export ends here.
func (x *exports) writerOf(m *machine, d *disk) *export {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, e := range x.byID {
		if !e.locks() || e.machine != m || d != nil && e.disk.disk != d {
			continue
		}
		if !e.lapsed(x.lease) {
			return e
		}
		x.drop(e)
	}
	return nil
}

// breakLocks ends every writer of the machine, as killing the holder on the host does.
func (x *exports) breakLocks(m *machine) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, e := range x.byID {
		if e.locks() && e.machine == m {
			x.drop(e)
		}
	}
}

func (x *exports) setLease(lease time.Duration) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.lease = lease
}
