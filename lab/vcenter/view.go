package main

import (
	"crypto/sha256"
	"encoding/hex"
	"hash"
)

// view reads a disk: as it was frozen, or (without a map) as it is now.
type view struct {
	store  *store
	blocks blockMap
}

func (v view) readAt(p []byte, offset int64) error {
	if v.blocks != nil {
		return v.store.readBlocks(v.blocks, p, offset)
	}
	v.store.mu.RLock()
	defer v.store.mu.RUnlock()
	return v.store.readBlocks(v.store.live, p, offset)
}

type extent struct {
	offset, length int64
	data           bool
}

// extents cuts a range into at most `limit` alternating runs of data and holes; the last ones may be missing.
func (v view) extents(offset, length int64, limit int) []extent {
	blocks := v.blocks
	if blocks == nil {
		v.store.mu.RLock()
		defer v.store.mu.RUnlock()
		blocks = v.store.live
	}
	var out []extent
	for end := offset + length; offset < end; {
		number := offset / blockBytes
		to, data := (number+1)*blockBytes, blocks.version(uint32(number)) != 0
		if blocks[uint32(number/pageBlocks)] == nil {
			to = (number/pageBlocks + 1) * pageBlocks * blockBytes
		}
		to = min(to, end)
		if n := len(out); n > 0 && out[n-1].data == data {
			out[n-1].length += to - offset
		} else if n == limit {
			break
		} else {
			out = append(out, extent{offset, to - offset, data})
		}
		offset = to
	}
	return out
}

// changedSince lists up to `limit` areas of whole blocks from `offset` on and the length it looked at.
func (v view) changedSince(before blockMap, offset, capacity int64, limit int) ([]extent, int64) {
	blocks := v.blocks
	if blocks == nil {
		v.store.mu.RLock()
		defer v.store.mu.RUnlock()
		blocks = v.store.live
	}
	var out []extent
	looked := capacity - offset
	eachBlock(before, blocks, offset/blockBytes, func(block int64) bool {
		start, end := max(offset, block*blockBytes), min(capacity, (block+1)*blockBytes)
		n := len(out)
		switch {
		case start >= capacity:
			return false
		case n > 0 && out[n-1].offset+out[n-1].length == start:
			out[n-1].length += end - start
		case n == limit:
			looked = start - offset
			return false
		default:
			out = append(out, extent{start, end - start, true})
		}
		return true
	})
	return out, looked
}

type digest struct {
	SHA256 string   `json:"sha256"`
	Bytes  int64    `json:"bytes"`
	Blocks []string `json:"blocks,omitempty"`
}

// hash reads `capacity` bytes, pads them with zeros to `padTo`, and hashes the whole and each piece of `pieceBytes`.
func (v view) hash(capacity, padTo, pieceBytes int64) (digest, error) {
	total := max(capacity, padTo)
	whole, result := sha256.New(), digest{Bytes: total}
	step := int64(1 << 20)
	if pieceBytes > 0 {
		step = pieceBytes
	}
	buffer := make([]byte, step)
	for offset := int64(0); offset < total; offset += step {
		chunk := buffer[:min(step, total-offset)]
		clear(chunk)
		if n := min(int64(len(chunk)), capacity-offset); n > 0 {
			if err := v.readAt(chunk[:n], offset); err != nil {
				return digest{}, err
			}
		}
		whole.Write(chunk)
		if pieceBytes > 0 {
			piece := sha256.Sum256(chunk)
			result.Blocks = append(result.Blocks, hex.EncodeToString(piece[:]))
		}
	}
	result.SHA256 = sum(whole)
	return result, nil
}

func sum(h hash.Hash) string { return hex.EncodeToString(h.Sum(nil)) }
