package main

import (
	"errors"
	"io"
)

const (
	nbdMagic    = 0x4e42444d41474943
	optionMagic = 0x49484156454f5054
	optionReply = 0x0003e889045565a9

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

	maxOptionBytes = 64 << 10
)

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
