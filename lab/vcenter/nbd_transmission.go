package main

import (
	"errors"
	"io"
	"net"
)

const (
	requestMagic    = 0x25609513
	simpleMagic     = 0x67446698
	structuredMagic = 0x668e33ef

	cmdRead        = 0
	cmdWrite       = 1
	cmdDisconnect  = 2
	cmdFlush       = 3
	cmdTrim        = 4
	cmdWriteZeroes = 6
	cmdBlockStatus = 7
	flagReqOne     = 1 << 3
	flagDF         = 1 << 2

	chunkDone   = 1
	chunkData   = 1
	chunkHole   = 2
	chunkStatus = 5
	chunkError  = 1<<15 + 1

	errPermission = 1
	errInput      = 5
	errInvalid    = 22
	errNoSpace    = 28
	errShutdown   = 108

	requestsInFlight = 16
	maxStatusExtents = 4096
)

type nbdRequest struct {
	flags, command uint16
	cookie         uint64
	offset         int64
	length         uint32
	payload        []byte
}

func (c *nbdConn) transmit() {
	slots := make(chan struct{}, requestsInFlight)
	defer c.inFlight.Wait()
	for {
		request, err := c.next()
		if err != nil || request.command == cmdDisconnect {
			return
		}
		slots <- struct{}{}
		c.inFlight.Go(func() {
			c.handle(request)
			<-slots
		})
	}
}

func (c *nbdConn) next() (nbdRequest, error) {
	var head [28]byte
	if _, err := io.ReadFull(c.in, head[:]); err != nil {
		return nbdRequest{}, err
	}
	request := nbdRequest{
		flags: be.Uint16(head[4:]), command: be.Uint16(head[6:]), cookie: be.Uint64(head[8:]),
		offset: int64(be.Uint64(head[16:])), length: be.Uint32(head[24:]),
	}
	if be.Uint32(head[:]) != requestMagic {
		return request, errors.New("not an NBD request")
	}
	if request.command == cmdWrite {
		if request.length > maxRequestBytes {
			return request, errors.New("write too long")
		}
		request.payload = make([]byte, request.length)
		_, err := io.ReadFull(c.in, request.payload)
		return request, err
	}
	return request, nil
}

func (c *nbdConn) handle(r nbdRequest) {
	if code := c.check(r); code != 0 {
		c.fail(r, code)
		return
	}
	switch r.command {
	case cmdRead:
		c.read(r)
	case cmdBlockStatus:
		c.status(r)
	default:
		c.change(r)
	}
}

// change carries out what alters the disk. What was answered survives a kill of this process, flushed or not.
func (c *nbdConn) change(r nbdRequest) {
	alive, err := c.export.change(func() error {
		switch r.command {
		case cmdWrite:
			return c.export.disk.store.write(r.payload, r.offset)
		case cmdTrim, cmdWriteZeroes:
			return c.export.disk.store.zero(r.offset, int64(r.length))
		}
		return nil
	})
	switch {
	case !alive:
		c.fail(r, errShutdown)
	case err != nil:
		c.fail(r, errInput)
	default:
		c.simple(r, 0)
	}
}

func (c *nbdConn) check(r nbdRequest) uint32 {
	e := c.export
	changes := r.command == cmdWrite || r.command == cmdTrim || r.command == cmdWriteZeroes
	switch {
	case r.command > cmdBlockStatus || r.command == 5 || r.command == cmdBlockStatus && !c.contexts:
		return errInvalid
	case changes && !e.writable:
		return errPermission
	case !e.usable():
		return errShutdown
	case r.command == cmdFlush:
		return 0
	case r.offset < 0 || r.length == 0 || r.offset > e.capacity || int64(r.length) > e.capacity-r.offset:
		if changes {
			return errNoSpace
		}
		return errInvalid
	case r.command == cmdRead && r.length > maxRequestBytes:
		return errInvalid
	}
	return 0
}

func (c *nbdConn) read(r nbdRequest) {
	c.exports.pace.wait(int64(r.length))
	extents := []extent{{r.offset, int64(r.length), true}}
	if c.structured && r.flags&flagDF == 0 {
		extents = c.export.view.extents(r.offset, int64(r.length), maxRequestBytes/blockBytes+1)
	}
	buffers := make([][]byte, len(extents))
	for i, x := range extents {
		if x.data {
			buffers[i] = make([]byte, x.length)
			if err := c.export.view.readAt(buffers[i], x.offset); err != nil {
				c.fail(r, errInput)
				return
			}
		}
	}
	if !c.structured {
		c.send(be.AppendUint64(be.AppendUint32(be.AppendUint32(nil, simpleMagic), 0), r.cookie), buffers[0])
		return
	}
	for i, x := range extents {
		done := uint16(0)
		if i == len(extents)-1 {
			done = chunkDone
		}
		position := be.AppendUint64(nil, uint64(x.offset))
		if x.data {
			c.chunk(r, done, chunkData, position, buffers[i])
		} else {
			c.chunk(r, done, chunkHole, be.AppendUint32(position, uint32(x.length)), nil)
		}
	}
}

func (c *nbdConn) status(r nbdRequest) {
	limit := maxStatusExtents
	if r.flags&flagReqOne != 0 {
		limit = 1
	}
	out := be.AppendUint32(nil, contextID)
	for _, x := range c.export.view.extents(r.offset, int64(r.length), limit) {
		state := uint32(3) // hole, reads as zero
		if x.data {
			state = 0
		}
		out = be.AppendUint32(be.AppendUint32(out, uint32(x.length)), state)
	}
	c.chunk(r, chunkDone, chunkStatus, out, nil)
}

func (c *nbdConn) fail(r nbdRequest, code uint32) {
	if c.structured && (r.command == cmdRead || r.command == cmdBlockStatus) {
		c.chunk(r, chunkDone, chunkError, be.AppendUint16(be.AppendUint32(nil, code), 0), nil)
		return
	}
	c.simple(r, code)
}

func (c *nbdConn) simple(r nbdRequest, code uint32) {
	c.send(be.AppendUint64(be.AppendUint32(be.AppendUint32(nil, simpleMagic), code), r.cookie), nil)
}

func (c *nbdConn) chunk(r nbdRequest, flags, kind uint16, head, body []byte) {
	out := be.AppendUint16(be.AppendUint16(be.AppendUint32(nil, structuredMagic), flags), kind)
	out = be.AppendUint32(be.AppendUint64(out, r.cookie), uint32(len(head)+len(body)))
	c.send(append(out, head...), body)
}

// send writes one reply whole; a broken connection ends the reading side too.
func (c *nbdConn) send(head, body []byte) {
	c.sending.Lock()
	defer c.sending.Unlock()
	parts := net.Buffers{head, body}
	if _, err := parts.WriteTo(c.conn); err != nil {
		c.conn.Close()
	}
}
