package main

import (
	"hash/crc32"
	"slices"
)

// targets are the database files of the machine; of one disk when deviceKey is given; raw disks count as a whole.
func (v *vcenter) targets(m *machine, deviceKey *int32) []target {
	v.mu.Lock()
	defer v.mu.Unlock()
	var databases, raw []target
	for _, a := range m.disks {
		if deviceKey != nil && *deviceKey != a.key {
			continue
		}
		v.searchDatabase(a)
		before := int64(0)
		for _, r := range a.Database {
			databases = append(databases, target{a, r, true, before})
			before += r.Length
		}
		if len(a.Database) == 0 {
			raw = append(raw, target{disk: a, at: region{0, a.capacity}})
		}
	}
	if len(databases) > 0 {
		return databases
	}
	return raw
}

// searchDatabase finds the database file on a disk that came here by replication: it is not in the inventory.
// The caller holds v.mu.
func (v *vcenter) searchDatabase(a *attached) {
	if a.Searched {
		return
	}
	a.Database = findDatabase(a.store.liveView(), a.capacity)
	a.Searched = len(a.Database) > 0 // a disk that is still being filled is looked at again
	v.save()
}

// findDatabase looks for pages that prove themselves and returns their runs in the order of their numbers; nil unless
// they are 0, 1, 2, … without a gap.
func findDatabase(source view, capacity int64) []region {
	places := map[uint64]int64{}
	buffer := make([]byte, 16*blockBytes)
	for offset := int64(0); offset < capacity; {
		for _, run := range source.extents(offset, capacity-offset, 256) {
			for end := run.offset + run.length; run.data && run.offset < end; run.offset += int64(len(buffer)) {
				part := buffer[:min(int64(len(buffer)), end-run.offset)]
				if source.readAt(part, run.offset) == nil {
					notePages(part, run.offset, places)
				}
			}
			offset += run.length
		}
	}
	numbers := make([]uint64, 0, len(places))
	for number := range places {
		numbers = append(numbers, number)
	}
	slices.Sort(numbers)
	var out []region
	for i, number := range numbers {
		if number != uint64(i) {
			return nil
		}
		at := places[number]
		if n := len(out); n > 0 && out[n-1].Offset+out[n-1].Length == at {
			out[n-1].Length += dbPageBytes
		} else {
			out = append(out, region{at, dbPageBytes})
		}
	}
	return out
}

func notePages(data []byte, offset int64, places map[uint64]int64) {
	for at := 0; at+dbPageBytes <= len(data); at += dbPageBytes {
		page := data[at : at+dbPageBytes]
		if le.Uint32(page) == dbPageMagic && le.Uint32(page[4:]) == crc32.Checksum(page[8:], crc32.MakeTable(crc32.Castagnoli)) {
			places[le.Uint64(page[8:])] = offset + int64(at)
		}
	}
}
