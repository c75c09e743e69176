package main

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
)

const (
	dbPageBytes   = 4096
	dbPageMagic   = 0x42445042 // "BPDB"
	dbHeaderBytes = 24
)

// region is a run of bytes on a disk.
type region struct {
	Offset int64 `json:"offset"`
	Length int64 `json:"length"`
}

// newBytes is a quick seeded source of incompressible bytes.
func newBytes(seed uint64) *byteSource { return &byteSource{state: seed*2 + 1} }

type byteSource struct{ state uint64 }

func (s *byteSource) next() uint64 {
	s.state += 0x9e3779b97f4a7c15
	z := s.state
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

func (s *byteSource) fill(p []byte) {
	for len(p) >= 8 {
		binary.LittleEndian.PutUint64(p, s.next())
		p = p[8:]
	}
	for i := range p {
		p[i] = byte(s.next())
	}
}

// databasePage fills a page: magic, CRC-32C of everything after it, page number, generation, then seeded bytes,
// half of which are zero, as in a database.
func databasePage(page []byte, number, generation uint64) {
	clear(page)
	newBytes(number ^ generation<<32).fill(page[dbHeaderBytes : dbPageBytes/2])
	binary.LittleEndian.PutUint32(page, dbPageMagic)
	binary.LittleEndian.PutUint64(page[8:], number)
	binary.LittleEndian.PutUint64(page[16:], generation)
	binary.LittleEndian.PutUint32(page[4:], crc32.Checksum(page[8:], crc32.MakeTable(crc32.Castagnoli)))
}

var errPoweredOff = errors.New("the machine is powered off")

// guestWrite is a write by the machine itself; it waits while a snapshot is being taken.
func (v *vcenter) guestWrite(m *machine, a *attached, data []byte, offset int64) error {
	v.stun.RLock()
	defer v.stun.RUnlock()
	if !m.on.Load() {
		return errPoweredOff
	}
	return a.store.write(data, offset)
}
