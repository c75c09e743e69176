package main

import (
	"errors"
	"io"
	"net/http"
	"path"
	"strings"
	"time"
)

// serveFolder serves the bytes of `…-flat.vmdk` files from the block stores, and everything else as the simulator does.
// As on a real host, a disk in use is locked.
func (v *vcenter) serveFolder(w http.ResponseWriter, r *http.Request) {
	if v.isDenied(w, r, "Datastore.FileManagement") {
		return
	}
	m, a, f := v.diskOfFlat("[" + r.URL.Query().Get("dsName") + "] " + strings.TrimPrefix(r.URL.Path, "/folder/"))
	if a == nil {
		v.service.ServeDatastore(w, r)
		return
	}
	if m.on.Load() {
		refuse(w, http.StatusConflict, "the disk is locked: its machine is powered on")
		return
	}
	if v.exports.writerOf(m, a.disk) != nil {
		refuse(w, http.StatusConflict, "the disk is locked by a writer")
		return
	}
	switch r.Method {
	case http.MethodGet, http.MethodHead:
		source, capacity := a.store.liveView(), a.capacity
		if f != nil {
			source, capacity = a.frozenView(f), f.CapacityBytes
		}
		w.Header().Set("Content-Type", "application/octet-stream")
		http.ServeContent(w, r, path.Base(r.URL.Path), time.Time{}, &seeker{view: source, capacity: capacity})
	case http.MethodPut:
		if f != nil {
			refuse(w, http.StatusConflict, "the file belongs to a snapshot")
			return
		}
		if err := replace(a, r.Body); err != nil {
			refuse(w, http.StatusInternalServerError, err.Error())
			return
		}
		w.WriteHeader(http.StatusCreated)
	default:
		refuse(w, http.StatusMethodNotAllowed, "GET, HEAD or PUT")
	}
}

// diskOfFlat finds the disk of a `…-flat.vmdk`, and what a snapshot froze in that file; nil for the file being written.
func (v *vcenter) diskOfFlat(name string) (*machine, *attached, *freeze) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, m := range v.byRef {
		for _, a := range m.disks {
			if flatName(a.Live) == name {
				return m, a, nil
			}
			for _, s := range m.present() {
				if f := a.freezeOf(s.Number); f != nil && flatName(f.File) == name {
					return m, a, f
				}
			}
		}
	}
	return nil, nil, nil
}

func replace(a *attached, body io.Reader) error {
	buffer := make([]byte, 1<<20)
	for offset := int64(0); offset < a.capacity; {
		n, err := io.ReadFull(body, buffer[:min(int64(len(buffer)), a.capacity-offset)])
		if n > 0 {
			if err := a.store.write(buffer[:n], offset); err != nil {
				return err
			}
		}
		offset += int64(n)
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return a.store.zero(offset, a.capacity-offset)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

type seeker struct {
	view             view
	capacity, offset int64
}

func (s *seeker) Read(p []byte) (int, error) {
	n := min(int64(len(p)), s.capacity-s.offset)
	if n <= 0 {
		return 0, io.EOF
	}
	err := s.view.readAt(p[:n], s.offset)
	s.offset += n
	return int(n), err
}

func (s *seeker) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += s.offset
	case io.SeekEnd:
		offset += s.capacity
	}
	if offset < 0 {
		return 0, errors.New("negative offset")
	}
	s.offset = offset
	return offset, nil
}
