package main

import (
	"encoding/binary"
	"errors"
	"io"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"sync"
)

const (
	blockBytes   = 64 << 10
	pageBlocks   = 1024
	freezeMarker = math.MaxUint32
	revertMarker = math.MaxUint32 - 1
	recordBytes  = 8
)

// blockMap says which version of each block a disk shows; 0 or a missing page is a hole.
type blockMap map[uint32]*mapPage

type mapPage struct {
	epoch    uint32
	versions [pageBlocks]uint32
}

func (m blockMap) version(block uint32) uint32 {
	if page := m[block/pageBlocks]; page != nil {
		return page.versions[block%pageBlocks]
	}
	return 0
}

// store keeps the bytes of one disk. Version n of any block lies at (n-1)*64 KiB of the data file and is never
// overwritten once a frozen map holds it. The journal holds one record per map change, so that a killed process
// finds every map again: data first, record second.
type store struct {
	mu      sync.RWMutex
	data    *os.File
	journal *os.File
	live    blockMap
	frozen  []blockMap
	epoch   uint32
	next    uint32
	held    uint32 // versions below it belong to a frozen map
	blocks  int64  // of the live map that are no holes
}

func openStore(dir string) (*store, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	data, err := os.OpenFile(filepath.Join(dir, "blocks"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	journal, err := os.OpenFile(filepath.Join(dir, "journal"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, errors.Join(err, data.Close())
	}
	s := &store{data: data, journal: journal, live: blockMap{}, next: 1, held: 1}
	return s, s.replay()
}

func (s *store) replay() error {
	raw, err := io.ReadAll(s.journal)
	if err != nil {
		return err
	}
	whole := len(raw) / recordBytes * recordBytes
	for at := 0; at < whole; at += recordBytes {
		block, version := binary.LittleEndian.Uint32(raw[at:]), binary.LittleEndian.Uint32(raw[at+4:])
		switch block {
		case freezeMarker:
			s.frozen = append(s.frozen, s.hold())
			continue
		case revertMarker:
			s.show(s.frozen[version])
			continue
		}
		s.set(block, version)
		s.next = max(s.next, version+1)
	}
	if err := s.journal.Truncate(int64(whole)); err != nil {
		return err
	}
	_, err = s.journal.Seek(int64(whole), io.SeekStart)
	return err
}

func (s *store) close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return errors.Join(s.data.Close(), s.journal.Close())
}

// set changes the live map; pages shared with a frozen map are copied first.
func (s *store) set(block, version uint32) {
	page := s.live[block/pageBlocks]
	switch {
	case page == nil:
		page = &mapPage{epoch: s.epoch}
		s.live[block/pageBlocks] = page
	case page.epoch != s.epoch:
		own := *page
		own.epoch = s.epoch
		page = &own
		s.live[block/pageBlocks] = page
	}
	switch before := page.versions[block%pageBlocks]; {
	case before == 0 && version != 0:
		s.blocks++
	case before != 0 && version == 0:
		s.blocks--
	}
	page.versions[block%pageBlocks] = version
}

// hold returns the map as it is now and sees to it that no later write changes what it shows.
func (s *store) hold() blockMap {
	held := make(blockMap, len(s.live))
	for number, page := range s.live {
		held[number] = page
	}
	s.epoch++
	s.held = s.next
	return held
}

// freeze keeps the disk as it is now for ever and returns the number it is found under.
func (s *store) freeze() (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	record := binary.LittleEndian.AppendUint32(nil, freezeMarker)
	if _, err := s.journal.Write(binary.LittleEndian.AppendUint32(record, 0)); err != nil {
		return 0, err
	}
	s.frozen = append(s.frozen, s.hold())
	return len(s.frozen) - 1, nil
}

// revert makes the disk show a frozen map again.
func (s *store) revert(number int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	record := binary.LittleEndian.AppendUint32(nil, revertMarker)
	if _, err := s.journal.Write(binary.LittleEndian.AppendUint32(record, uint32(number))); err != nil {
		return err
	}
	s.show(s.frozen[number])
	return nil
}

// show makes the live map a copy of a frozen one, whose pages are copied before they are changed.
func (s *store) show(frozen blockMap) {
	s.live = maps.Clone(frozen)
	s.blocks = 0
	for _, page := range s.live {
		for _, version := range page.versions {
			if version != 0 {
				s.blocks++
			}
		}
	}
	s.epoch++
	s.held = s.next
}

func (s *store) frozenView(number int) view {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return view{store: s, blocks: s.frozen[number]}
}

// momentView is the live disk at one instant; nothing records that it was taken.
func (s *store) momentView() view {
	s.mu.Lock()
	defer s.mu.Unlock()
	return view{store: s, blocks: s.hold()}
}

// allocated is what the live disk takes.
func (s *store) allocated() int64 {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.blocks * blockBytes
}

// keptOnlyBy is what frozen maps, oldest first, hold that the next one and the live disk do not.
func (s *store) keptOnlyBy(numbers []int) int64 {
	s.mu.RLock()
	defer s.mu.RUnlock()
	bytes := int64(0)
	for i, number := range numbers {
		after := s.live
		if i+1 < len(numbers) {
			after = s.frozen[numbers[i+1]]
		}
		before := s.frozen[number]
		eachBlock(before, after, 0, func(block int64) bool {
			if before.version(uint32(block)) != 0 {
				bytes += blockBytes
			}
			return true
		})
	}
	return bytes
}

func (s *store) liveView() view { return view{store: s} }

// ReadAt fills p; holes read as zeros.
func (s *store) readBlocks(blocks blockMap, p []byte, offset int64) error {
	for len(p) > 0 {
		within := offset % blockBytes
		n := min(int64(len(p)), blockBytes-within)
		if version := blocks.version(uint32(offset / blockBytes)); version == 0 {
			clear(p[:n])
		} else if _, err := s.data.ReadAt(p[:n], int64(version-1)*blockBytes+within); err != nil {
			return err
		}
		p, offset = p[n:], offset+n
	}
	return nil
}

func (s *store) write(p []byte, offset int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var records []byte
	for len(p) > 0 {
		within := offset % blockBytes
		n := min(int64(len(p)), blockBytes-within)
		block := uint32(offset / blockBytes)
		version, err := s.writeBlock(block, within, p[:n])
		if err != nil {
			return err
		}
		if version != 0 {
			records = binary.LittleEndian.AppendUint32(records, block)
			records = binary.LittleEndian.AppendUint32(records, version)
		}
		p, offset = p[n:], offset+n
	}
	_, err := s.journal.Write(records)
	return err
}

// writeBlock returns the new version, or 0 when the block was changed in place.
func (s *store) writeBlock(block uint32, within int64, p []byte) (uint32, error) {
	current := s.live.version(block)
	if current >= s.held {
		_, err := s.data.WriteAt(p, int64(current-1)*blockBytes+within)
		return 0, err
	}
	whole := p
	if len(p) < blockBytes {
		whole = make([]byte, blockBytes)
		if err := s.readBlocks(s.live, whole, int64(block)*blockBytes); err != nil {
			return 0, err
		}
		copy(whole[within:], p)
	}
	version := s.next
	if _, err := s.data.WriteAt(whole, int64(version-1)*blockBytes); err != nil {
		return 0, err
	}
	s.next++
	s.set(block, version)
	return version, nil
}

// zero makes holes of whole blocks and writes zeros into the parts of blocks at the ends.
func (s *store) zero(offset, length int64) error {
	end := offset + length
	first, last := (offset+blockBytes-1)/blockBytes, end/blockBytes
	if first >= last {
		return s.zeroPart(offset, length)
	}
	if err := s.zeroPart(offset, first*blockBytes-offset); err != nil {
		return err
	}
	if err := s.punch(first, last); err != nil {
		return err
	}
	return s.zeroPart(last*blockBytes, end-last*blockBytes)
}

func (s *store) zeroPart(offset, length int64) error {
	zeros := make([]byte, blockBytes)
	for length > 0 {
		n := min(length, blockBytes-offset%blockBytes)
		s.mu.RLock()
		hole := s.live.version(uint32(offset/blockBytes)) == 0
		s.mu.RUnlock()
		if !hole {
			if err := s.write(zeros[:n], offset); err != nil {
				return err
			}
		}
		offset, length = offset+n, length-n
	}
	return nil
}

func (s *store) punch(first, last int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var blocks []uint32
	eachBlock(nil, s.live, first, func(block int64) bool {
		if block < last {
			blocks = append(blocks, uint32(block))
		}
		return block < last
	})
	var records []byte
	for _, block := range blocks {
		s.set(block, 0)
		records = binary.LittleEndian.AppendUint32(records, block)
		records = binary.LittleEndian.AppendUint32(records, 0)
	}
	_, err := s.journal.Write(records)
	return err
}

// eachBlock calls visit, in order from block `first` on, for every block in which two maps differ, until it returns false.
func eachBlock(before, after blockMap, first int64, visit func(block int64) bool) {
	for _, number := range pageNumbers(before, after) {
		old, new := before[number], after[number]
		base := int64(number) * pageBlocks
		if old == new || base+pageBlocks <= first {
			continue
		}
		for i := max(0, first-base); i < pageBlocks; i++ {
			if pageVersion(old, i) != pageVersion(new, i) && !visit(base+i) {
				return
			}
		}
	}
}

func pageVersion(page *mapPage, i int64) uint32 {
	if page == nil {
		return 0
	}
	return page.versions[i]
}

func pageNumbers(before, after blockMap) []uint32 {
	numbers := make([]uint32, 0, len(after))
	for number := range after {
		numbers = append(numbers, number)
	}
	for number := range before {
		if after[number] == nil {
			numbers = append(numbers, number)
		}
	}
	slices.Sort(numbers)
	return numbers
}
