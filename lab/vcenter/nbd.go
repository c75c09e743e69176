package main

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"sync"
)

// The NBD protocol, fixed newstyle: https://github.com/NetworkBlockDevice/nbd/blob/master/doc/proto.md
const (
	nbdMagic        = 0x4e42444d41474943
	optionMagic     = 0x49484156454f5054
	optionReply     = 0x0003e889045565a9
	requestMagic    = 0x25609513
	simpleMagic     = 0x67446698
	structuredMagic = 0x668e33ef

	optExportName     = 1
	optAbort          = 2
	optInfo           = 6
	optGo             = 7
	optStructured     = 8
	optListContexts   = 9
	optSetContexts    = 10
	repAck            = 1
	repInfo           = 3
	repContext        = 4
	repErrUnsupported = 1<<31 + 1
	repErrInvalid     = 1<<31 + 3
	repErrUnknown     = 1<<31 + 6
	infoExport        = 0
	infoBlockSize     = 3

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

	maxRequestBytes  = 32 << 20
	maxOptionBytes   = 64 << 10
	requestsInFlight = 16
	maxStatusExtents = 4096
	contextID        = 1
)

func (x *exports) serve(listener net.Listener) {
	for {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		go x.converse(conn)
	}
}

func (x *exports) converse(conn net.Conn) {
	defer conn.Close()
	c := &nbdConn{conn: conn, in: bufio.NewReaderSize(conn, 64<<10), exports: x}
	if err := c.negotiate(); err != nil || c.export == nil {
		return
	}
	c.export.track(conn, true)
	defer c.export.track(conn, false)
	c.transmit()
}

type nbdConn struct {
	conn       net.Conn
	in         *bufio.Reader
	exports    *exports
	export     *export
	structured bool
	contexts   bool
	sending    sync.Mutex
	inFlight   sync.WaitGroup
}

var be = binary.BigEndian

func (c *nbdConn) negotiate() error {
	hello := be.AppendUint64(be.AppendUint64(nil, nbdMagic), optionMagic)
	if _, err := c.conn.Write(be.AppendUint16(hello, 3)); err != nil { // fixed newstyle, no zeroes
		return err
	}
	var flags [4]byte
	if _, err := io.ReadFull(c.in, flags[:]); err != nil {
		return err
	}
	for c.export == nil {
		var head [16]byte
		if _, err := io.ReadFull(c.in, head[:]); err != nil {
			return err
		}
		length := be.Uint32(head[12:])
		if be.Uint64(head[:]) != optionMagic || length > maxOptionBytes {
			return errors.New("not an NBD option")
		}
		data := make([]byte, length)
		if _, err := io.ReadFull(c.in, data); err != nil {
			return err
		}
		if done, err := c.option(be.Uint32(head[8:]), data, be.Uint32(flags[:])&2 != 0); done || err != nil {
			return err
		}
	}
	return nil
}

func (c *nbdConn) option(option uint32, data []byte, noZeroes bool) (bool, error) {
	switch option {
	case optExportName:
		return true, c.oldStyleGo(string(data), noZeroes)
	case optAbort:
		return true, c.reply(option, repAck, nil)
	case optStructured:
		c.structured = true
		return false, c.reply(option, repAck, nil)
	case optInfo, optGo:
		return false, c.describe(option, data)
	case optListContexts, optSetContexts:
		return false, c.negotiateContexts(option, data)
	default:
		return false, c.reply(option, repErrUnsupported, nil)
	}
}

func (c *nbdConn) reply(option, kind uint32, data []byte) error {
	out := be.AppendUint32(be.AppendUint64(nil, optionReply), option)
	out = be.AppendUint32(be.AppendUint32(out, kind), uint32(len(data)))
	_, err := c.conn.Write(append(out, data...))
	return err
}

func (c *nbdConn) flags(e *export) uint16 {
	flags := uint16(1 | 1<<2 | 1<<8) // flags present, flush, several connections
	if c.structured {
		flags |= 1 << 7 // do not fragment
	}
	if e.writable {
		return flags | 1<<3 | 1<<5 | 1<<6 // FUA, trim, write zeroes
	}
	return flags | 1<<1 // read only
}

func (c *nbdConn) oldStyleGo(name string, noZeroes bool) error {
	e := c.exports.named(name)
	if e == nil {
		return errors.New("unknown export")
	}
	out := be.AppendUint16(be.AppendUint64(nil, uint64(e.capacity)), c.flags(e))
	if !noZeroes {
		out = append(out, make([]byte, 124)...)
	}
	c.export = e
	_, err := c.conn.Write(out)
	return err
}

func (c *nbdConn) describe(option uint32, data []byte) error {
	name, _, ok := cutString(data)
	if !ok {
		return c.reply(option, repErrInvalid, nil)
	}
	e := c.exports.named(name)
	if e == nil || !e.usable() {
		return c.reply(option, repErrUnknown, nil)
	}
	info := be.AppendUint64(be.AppendUint16(nil, infoExport), uint64(e.capacity))
	if err := c.reply(option, repInfo, be.AppendUint16(info, c.flags(e))); err != nil {
		return err
	}
	sizes := be.AppendUint32(be.AppendUint16(nil, infoBlockSize), 1)
	sizes = be.AppendUint32(be.AppendUint32(sizes, blockBytes), maxRequestBytes)
	if err := c.reply(option, repInfo, sizes); err != nil {
		return err
	}
	if option == optGo {
		c.export = e
	}
	return c.reply(option, repAck, nil)
}

func (c *nbdConn) negotiateContexts(option uint32, data []byte) error {
	name, rest, ok := cutString(data)
	if !ok || len(rest) < 4 || !c.structured {
		return c.reply(option, repErrInvalid, nil)
	}
	if c.exports.named(name) == nil {
		return c.reply(option, repErrUnknown, nil)
	}
	queries := be.Uint32(rest)
	rest = rest[4:]
	wanted := option == optListContexts && queries == 0
	for range queries {
		query, after, ok := cutString(rest)
		if !ok {
			return c.reply(option, repErrInvalid, nil)
		}
		wanted = wanted || query == "base:allocation" || option == optListContexts && query == "base:"
		rest = after
	}
	if option == optSetContexts {
		c.contexts = wanted
	}
	if wanted {
		if err := c.reply(option, repContext, append(be.AppendUint32(nil, contextID), "base:allocation"...)); err != nil {
			return err
		}
	}
	return c.reply(option, repAck, nil)
}

func cutString(data []byte) (string, []byte, bool) {
	if len(data) < 4 || uint64(be.Uint32(data)) > uint64(len(data)-4) {
		return "", nil, false
	}
	n := be.Uint32(data)
	return string(data[4 : 4+n]), data[4+n:], true
}

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
	var err error
	switch r.command {
	case cmdRead:
		c.read(r)
		return
	case cmdBlockStatus:
		c.status(r)
		return
	case cmdWrite:
		err = c.export.disk.store.write(r.payload, r.offset)
	case cmdTrim, cmdWriteZeroes:
		err = c.export.disk.store.zero(r.offset, int64(r.length))
	}
	if err != nil {
		c.fail(r, errInput)
		return
	}
	c.simple(r, 0)
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
