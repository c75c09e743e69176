package main

import (
	"encoding/binary"
	"errors"
	"path"
	"sort"
)

// The on-disk layout is that of https://www.kernel.org/doc/html/latest/filesystems/ext4/ : 4 KiB blocks, 32-bit group
// descriptors, extents, no journal. Metadata stands at the start of each group and data is allocated in one run.
const (
	fsBlock        = 4096
	groupBlocks    = 32768
	groupInodes    = 1024
	inodeBytes     = 256
	tableBlocks    = groupInodes * inodeBytes / fsBlock
	rootInode      = 2
	firstInode     = 11
	fsTime         = 1_750_000_000 // every timestamp, so that a seed gives the same bytes each time
	modeDirectory  = 0o40755
	modeFile       = 0o100644
	maxExtents     = 4
	maxExtentRun   = 32768
	incompatible   = 0x2 | 0x40       // file types in directories, extents
	readOnlyCompat = 0x1 | 0x2 | 0x40 // sparse superblocks, large files, large inodes
)

var le = binary.LittleEndian

var errFilesystemFull = errors.New("the file system is full")

type ext4 struct {
	disk    *store
	blocks  uint32
	groups  uint32
	next    uint32 // first block not yet allocated
	inodes  []inode
	folders map[string]*folder
	uuid    [16]byte
}

type inode struct {
	mode, links uint16
	size        int64
	extents     []run
}

type run struct{ start, count uint32 }

type folder struct {
	inode   uint32
	parent  uint32
	entries []entry
}

type entry struct {
	name  string
	inode uint32
	kind  byte // 1 file, 2 directory
}

// newExt4 plans a file system over the first `bytes` of the disk; finish writes its metadata.
func newExt4(disk *store, bytes int64, seed uint64) *ext4 {
	fs := &ext4{disk: disk, blocks: uint32(bytes / fsBlock), folders: map[string]*folder{}, inodes: make([]inode, firstInode-1)}
	if fs.blocks%groupBlocks < 2*tableBlocks && fs.blocks > groupBlocks {
		fs.blocks -= fs.blocks % groupBlocks
	}
	fs.groups = (fs.blocks + groupBlocks - 1) / groupBlocks
	newBytes(seed ^ 0xe4).fill(fs.uuid[:])
	fs.next = fs.dataStart(0)
	fs.inodes[rootInode-1] = inode{mode: modeDirectory, links: 2}
	fs.folders["/"] = &folder{inode: rootInode, parent: rootInode}
	fs.folder("/lost+found")
	return fs
}

// backup says whether a group carries a copy of the superblock: 0, 1 and the powers of 3, 5 and 7.
func backup(group uint32) bool {
	for _, base := range []uint32{3, 5, 7} {
		power := base
		for power < group {
			power *= base
		}
		if power == group {
			return true
		}
	}
	return group <= 1
}

func (fs *ext4) descriptorBlocks() uint32 { return (fs.groups*32 + fsBlock - 1) / fsBlock }

// bitmapBlock is the block bitmap of a group; the inode bitmap and the inode table follow it.
func (fs *ext4) bitmapBlock(group uint32) uint32 {
	start := group * groupBlocks
	if backup(group) {
		start += 1 + fs.descriptorBlocks()
	}
	return start
}

func (fs *ext4) dataStart(group uint32) uint32 { return fs.bitmapBlock(group) + 2 + tableBlocks }

func (fs *ext4) groupEnd(group uint32) uint32 { return min(fs.blocks, (group+1)*groupBlocks) }

func (fs *ext4) allocate(count uint32) ([]run, error) {
	var out []run
	for count > 0 {
		group := fs.next / groupBlocks
		if fs.next >= fs.blocks || len(out) == maxExtents {
			return nil, errFilesystemFull
		}
		fs.next = max(fs.next, fs.dataStart(group))
		n := min(count, maxExtentRun, fs.groupEnd(group)-fs.next)
		out = append(out, run{fs.next, n})
		fs.next, count = fs.next+n, count-n
	}
	return out, nil
}

func (fs *ext4) addInode(node inode) uint32 {
	fs.inodes = append(fs.inodes, node)
	return uint32(len(fs.inodes))
}

func (fs *ext4) folder(name string) *folder {
	if f := fs.folders[name]; f != nil {
		return f
	}
	parent := fs.folder(path.Dir(name))
	f := &folder{inode: fs.addInode(inode{mode: modeDirectory, links: 2}), parent: parent.inode}
	fs.inodes[parent.inode-1].links++
	parent.entries = append(parent.entries, entry{path.Base(name), f.inode, 2})
	fs.folders[name] = f
	return f
}

// create writes a file; fill is asked for its bytes in order. It returns where on the disk they lie.
func (fs *ext4) create(name string, size int64, fill func(p []byte)) ([]region, error) {
	extents, err := fs.allocate(uint32((size + fsBlock - 1) / fsBlock))
	if err != nil {
		return nil, err
	}
	var at []region
	left := size
	for _, r := range extents {
		length := min(left, int64(r.count)*fsBlock)
		at = append(at, region{int64(r.start) * fsBlock, length})
		for done := int64(0); done < length; {
			chunk := make([]byte, min(1<<20, length-done))
			fill(chunk)
			if err := fs.disk.write(chunk, int64(r.start)*fsBlock+done); err != nil {
				return nil, err
			}
			done += int64(len(chunk))
		}
		left -= length
	}
	parent := fs.folder(path.Dir(name))
	number := fs.addInode(inode{mode: modeFile, links: 1, size: size, extents: extents})
	parent.entries = append(parent.entries, entry{path.Base(name), number, 1})
	return at, nil
}

func (fs *ext4) finish() error {
	for _, name := range sortedKeys(fs.folders) {
		if err := fs.writeFolder(fs.folders[name]); err != nil {
			return err
		}
	}
	descriptors := make([]byte, fs.descriptorBlocks()*fsBlock)
	freeBlocks := uint32(0)
	for group := range fs.groups {
		free, err := fs.writeGroup(group, descriptors[group*32:])
		if err != nil {
			return err
		}
		freeBlocks += free
	}
	for group := range fs.groups {
		if !backup(group) {
			continue
		}
		block := fs.superblock(group, freeBlocks)
		if err := fs.disk.write(append(block, descriptors...), int64(group)*groupBlocks*fsBlock); err != nil {
			return err
		}
	}
	return nil
}

func (fs *ext4) writeFolder(f *folder) error {
	entries := append([]entry{{".", f.inode, 2}, {"..", f.parent, 2}}, f.entries...)
	var blocks [][]byte
	used := fsBlock // of the newest block
	last := 0       // where its newest entry starts
	for _, e := range entries {
		need := 8 + (len(e.name)+3)/4*4
		if used+need > fsBlock {
			blocks, used, last = append(blocks, make([]byte, fsBlock)), 0, 0
		}
		block := blocks[len(blocks)-1]
		if used > 0 {
			le.PutUint16(block[last+4:], uint16(used-last))
		}
		le.PutUint32(block[used:], e.inode)
		le.PutUint16(block[used+4:], uint16(fsBlock-used))
		block[used+6], block[used+7] = byte(len(e.name)), e.kind
		copy(block[used+8:], e.name)
		last, used = used, used+need
	}
	extents, err := fs.allocate(uint32(len(blocks)))
	if err != nil {
		return err
	}
	node := &fs.inodes[f.inode-1]
	node.size, node.extents = int64(len(blocks))*fsBlock, extents
	for _, r := range extents {
		for i := range r.count {
			if err := fs.disk.write(blocks[i], int64(r.start+i)*fsBlock); err != nil {
				return err
			}
		}
		blocks = blocks[r.count:]
	}
	return nil
}

// writeGroup writes bitmaps and the used part of the inode table, fills in the descriptor and returns the free blocks.
func (fs *ext4) writeGroup(group uint32, descriptor []byte) (uint32, error) {
	first, end := group*groupBlocks, fs.groupEnd(group)
	used := max(fs.dataStart(group), min(fs.next, end)) - first
	nodes := fs.inodes[min(len(fs.inodes), int(group*groupInodes)):min(len(fs.inodes), int((group+1)*groupInodes))]
	bitmaps := make([]byte, 2*fsBlock)
	setBits(bitmaps[:fsBlock], 0, used)
	setBits(bitmaps[:fsBlock], end-first, groupBlocks)
	setBits(bitmaps[fsBlock:], 0, uint32(len(nodes)))
	setBits(bitmaps[fsBlock:], groupInodes, groupBlocks)
	if err := fs.disk.write(bitmaps, int64(fs.bitmapBlock(group))*fsBlock); err != nil {
		return 0, err
	}
	table, folders := make([]byte, len(nodes)*inodeBytes), uint16(0)
	for i, node := range nodes {
		node.encode(table[i*inodeBytes:])
		if node.mode == modeDirectory {
			folders++
		}
	}
	if err := fs.disk.write(table, int64(fs.bitmapBlock(group)+2)*fsBlock); err != nil {
		return 0, err
	}
	free := end - first - used
	le.PutUint32(descriptor[0:], fs.bitmapBlock(group))
	le.PutUint32(descriptor[4:], fs.bitmapBlock(group)+1)
	le.PutUint32(descriptor[8:], fs.bitmapBlock(group)+2)
	le.PutUint16(descriptor[12:], uint16(free))
	le.PutUint16(descriptor[14:], uint16(groupInodes-len(nodes)))
	le.PutUint16(descriptor[16:], folders)
	return free, nil
}

func setBits(bitmap []byte, from, to uint32) {
	for bit := from; bit < to; bit++ {
		bitmap[bit/8] |= 1 << (bit % 8)
	}
}

func (n inode) encode(p []byte) {
	if n.mode == 0 {
		return
	}
	blocks := uint32(0)
	le.PutUint16(p[0x28:], 0xf30a)
	le.PutUint16(p[0x2a:], uint16(len(n.extents)))
	le.PutUint16(p[0x2c:], maxExtents)
	for i, r := range n.extents {
		at := p[0x34+12*i:]
		le.PutUint32(at, blocks)
		le.PutUint16(at[4:], uint16(r.count))
		le.PutUint32(at[8:], r.start)
		blocks += r.count
	}
	le.PutUint16(p[0x00:], n.mode)
	le.PutUint32(p[0x04:], uint32(n.size))
	for _, at := range []int{0x08, 0x0c, 0x10, 0x90} { // accessed, changed, modified, created
		le.PutUint32(p[at:], fsTime)
	}
	le.PutUint16(p[0x1a:], n.links)
	le.PutUint32(p[0x1c:], blocks*(fsBlock/512))
	le.PutUint32(p[0x20:], 0x80000) // has extents
	le.PutUint32(p[0x6c:], uint32(n.size>>32))
	le.PutUint16(p[0x80:], 32)
}

// superblock fills one block: group 0 keeps its copy after 1,024 bytes of boot sector, the others at their start.
func (fs *ext4) superblock(group, freeBlocks uint32) []byte {
	block := make([]byte, fsBlock)
	p := block
	if group == 0 {
		p = block[1024:]
	}
	for at, value := range map[int]uint32{
		0x00: fs.groups * groupInodes, 0x04: fs.blocks, 0x0c: freeBlocks,
		0x10: fs.groups*groupInodes - uint32(len(fs.inodes)),
		0x18: 2, 0x1c: 2, 0x20: groupBlocks, 0x24: groupBlocks, 0x28: groupInodes,
		0x30: fsTime, 0x40: fsTime, 0x4c: 1, 0x54: firstInode,
		0x60: incompatible, 0x64: readOnlyCompat, 0x108: fsTime,
	} {
		le.PutUint32(p[at:], value)
	}
	for at, value := range map[int]uint16{
		0x36: 0xffff, 0x38: 0xef53, 0x3a: 1, 0x3c: 1, 0x58: inodeBytes, 0x5a: uint16(group), 0x15c: 32, 0x15e: 32,
	} {
		le.PutUint16(p[at:], value)
	}
	copy(p[0x68:], fs.uuid[:])
	copy(p[0x78:], "practice")
	return block
}

func sortedKeys[T any](m map[string]T) []string {
	keys := make([]string, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	sort.Strings(keys)
	return keys
}
