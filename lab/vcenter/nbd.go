package main

import (
	"bufio"
	"encoding/binary"
	"net"
	"sync"
)

// The NBD protocol, fixed newstyle: https://github.com/NetworkBlockDevice/nbd/blob/master/doc/proto.md
const (
	maxRequestBytes = 32 << 20
	contextID       = 1
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
