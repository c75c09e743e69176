package main

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
)

const (
	maxFilesystemMiB  = 64 << 10
	maxDatabaseBytes  = 256 << 20
	maxFileBytesTotal = 512 << 20
)

// fillDisks makes the file systems of new disks.
func fillDisks(host string, disks []*attached, wanted []inventoryDisk) error {
	for i, a := range disks {
		if wanted[i].Filesystem == "ext4" {
			database, err := fillExt4(a.store, a.capacity, wanted[i].Seed, host)
			if err != nil {
				return err
			}
			a.Database = database
		}
		a.Searched = true
	}
	return nil
}

// fillExt4 puts a file system straight on the disk (no partition table), about a third full of text, binary-like and
// random files, and a preallocated database file, whose place on the disk it returns.
func fillExt4(disk *store, capacity int64, seed uint64, host string) ([]region, error) {
	fs := newExt4(disk, capacity, seed)
	random := rand.New(rand.NewPCG(seed, 1))
	if _, err := fs.create("/etc/hostname", int64(len(host)+1), func(p []byte) { copy(p, host+"\n") }); err != nil {
		return nil, err
	}
	page := uint64(0)
	database, err := fs.create("/var/lib/practice/database.db", databaseBytes(capacity), func(p []byte) {
		for ; len(p) > 0; p = p[dbPageBytes:] {
			databasePage(p[:dbPageBytes], page, 0)
			page++
		}
	})
	if err != nil {
		return nil, err
	}
	left := min(capacity*28/100, maxFileBytesTotal)
	for n := 0; left > 0; n++ {
		kind := fileKinds[n%len(fileKinds)]
		size := min(left, 4096+random.Int64N(min(2<<20, capacity/32)))
		name := fmt.Sprintf("%s/%02d/%05d%s", kind.folder, n%16, n, kind.suffix)
		if _, err := fs.create(name, size, kind.fill(random.Uint64())); err != nil {
			return nil, err
		}
		left -= size
	}
	return database, fs.finish()
}

func databaseBytes(capacity int64) int64 {
	return min(max(capacity/16/blockBytes, 16)*blockBytes, maxDatabaseBytes)
}

var fileKinds = []struct {
	folder, suffix string
	fill           func(seed uint64) func(p []byte)
}{
	{"/srv/documents", ".txt", fillText},
	{"/usr/lib/practice", ".so", fillBinary},
	{"/srv/media", ".bin", func(seed uint64) func(p []byte) { return newBytes(seed).fill }},
}

var words = []string{"the ", "disk ", "was ", "written ", "and ", "then ", "replicated ", "to ", "another ", "site, ", "where ", "it ",
	"could ", "be ", "recovered ", "from ", "any ", "point ", "of ", "yesterday ", "without ", "loss.\n", "Nobody ", "noticed ",
	"a ", "failover ", "until ", "they ", "came ", "home ", "again.\n", "Finally, "}

// fillText writes lines of common words; they compress about fivefold.
func fillText(seed uint64) func(p []byte) {
	source := newBytes(seed)
	return func(p []byte) {
		for len(p) > 0 {
			for bits := source.next(); bits != 0 && len(p) > 0; bits >>= 5 {
				p = p[copy(p, words[bits&31]):]
			}
		}
	}
}

// fillBinary writes records of counters, small numbers and a few random bytes; they compress about threefold.
func fillBinary(seed uint64) func(p []byte) {
	source, count := newBytes(seed), uint64(0)
	return func(p []byte) {
		var record [64]byte
		for len(p) > 0 {
			count++
			binary.LittleEndian.PutUint64(record[0:], count)
			binary.LittleEndian.PutUint64(record[16:], source.next()&0xffff)
			binary.LittleEndian.PutUint64(record[40:], source.next())
			p = p[copy(p, record[:]):]
		}
	}
}
