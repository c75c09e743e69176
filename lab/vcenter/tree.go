package main

import "github.com/vmware/govmomi/vim25/types"

// The snapshots of a machine are a tree: each names the one it was taken on, and the live disks grow from Current.

func (m *machine) present() []*snapshot {
	var out []*snapshot
	for _, s := range m.Snapshots {
		if !s.Removed {
			out = append(out, s)
		}
	}
	return out
}

// named finds the newest snapshot of that name, removed or not.
func (m *machine) named(name string) *snapshot {
	for i := len(m.Snapshots) - 1; i >= 0; i-- {
		if m.Snapshots[i].Name == name {
			return m.Snapshots[i]
		}
	}
	return nil
}

func (m *machine) snapshotOf(ref types.ManagedObjectReference) *snapshot {
	for _, s := range m.present() {
		if s.ref == ref {
			return s
		}
	}
	return nil
}

// numbered is nil for 0, which is no snapshot.
func (m *machine) numbered(number int) *snapshot {
	for _, s := range m.Snapshots {
		if s.Number == number {
			return s
		}
	}
	return nil
}

// ancestor is the nearest snapshot from `number` upwards that is present; nil when there is none.
func (m *machine) ancestor(number int) *snapshot {
	s := m.numbered(number)
	for s != nil && s.Removed {
		s = m.numbered(s.Parent)
	}
	return s
}

// children are the snapshots whose files grow from those of s.
func (m *machine) children(s *snapshot) []*snapshot {
	var out []*snapshot
	for _, other := range m.Snapshots {
		if other.Parent == s.Number && (!other.Removed || other.Held) {
			out = append(out, other)
		}
	}
	return out
}

// isFrozen says whether a snapshot that is present holds the disk.
func (m *machine) isFrozen(d *disk) bool {
	for _, s := range m.present() {
		if d.freezeOf(s.Number) != nil {
			return true
		}
	}
	return false
}

// chain lists the files of the disk from the base to the one that snapshot `number` holds.
func (m *machine) chain(d *disk, number int) []string {
	s := m.numbered(number)
	if s == nil {
		return nil
	}
	files := m.chain(d, s.Parent)
	if f := d.freezeOf(number); f != nil {
		files = append(files, f.File)
	}
	return files
}

// liveChain ends with the file that is being written.
func (m *machine) liveChain(d *disk) []string { return append(m.chain(d, m.Current), d.Live) }

// filesOf are all files the disk has now.
func (m *machine) filesOf(d *disk) []string {
	files := []string{d.Live}
	for _, s := range m.Snapshots {
		if f := d.freezeOf(s.Number); f != nil && (!s.Removed || s.Held) {
			files = append(files, f.File)
		}
	}
	return files
}

// consolidate takes a removed snapshot out of the tree. The file that grew from its own is merged into it; while
// several do, both stay until one branch is left.
func (v *vcenter) consolidate(m *machine, gone *snapshot) {
	children, isCurrent := m.children(gone), m.Current == gone.Number
	branches := len(children)
	if isCurrent {
		branches++
	}
	gone.Held = branches > 1
	if gone.Held {
		return
	}
	for _, a := range m.disks {
		if f := a.freezeOf(gone.Number); f != nil {
			v.mergeFile(a.disk, f, children, isCurrent)
		}
	}
	for _, child := range children {
		child.Parent = gone.Parent
	}
	if isCurrent {
		m.Current = gone.Parent
	}
	if parent := m.numbered(gone.Parent); parent != nil && parent.Held {
		v.consolidate(m, parent)
	}
}

func (v *vcenter) mergeFile(d *disk, into *freeze, children []*snapshot, isCurrent bool) {
	switch {
	case isCurrent:
		v.removeFiles(d.Live)
		d.Live = into.File
	case len(children) == 0:
		v.removeFiles(into.File)
	default:
		if f := d.freezeOf(children[0].Number); f != nil {
			v.removeFiles(f.File)
			f.File = into.File
		}
	}
}
