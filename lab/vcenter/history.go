package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"io/fs"
	"log"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// happening is one line of the history: a power change, or a disk opened for writing or closed again.
type happening struct {
	AtMs    int64  `json:"atMs"`
	Machine string `json:"machine"`
	MoRef   string `json:"moRef"`
	On      *bool  `json:"on,omitempty"`
	Disk    int32  `json:"disk,omitempty"`
	Open    *bool  `json:"open,omitempty"`
	Export  string `json:"export,omitempty"`
}

// history is appended to a file as things happen; it outlives restarts and the machines themselves.
type history struct {
	mu   sync.Mutex
	file *os.File
	all  []happening
}

// openHistory closes the exports that a killed process left open.
func openHistory(dir string) (*history, error) {
	name := filepath.Join(dir, "history.jsonl")
	all, whole, err := readHistory(name)
	if err != nil {
		return nil, err
	}
	file, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(file.Truncate(whole), seekTo(file, whole)); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	h := &history{file: file, all: all}
	open := map[string]happening{}
	for _, line := range all {
		if line.Open != nil && *line.Open {
			open[line.Export] = line
		} else {
			delete(open, line.Export)
		}
	}
	closed := false
	for _, line := range open {
		line.Open, line.AtMs = &closed, 0
		h.add(line)
	}
	return h, nil
}

// readHistory returns the lines and the length of the whole ones; a kill may have cut the last one.
func readHistory(name string) ([]happening, int64, error) {
	raw, err := os.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, 0, nil
	}
	if err != nil {
		return nil, 0, err
	}
	defer raw.Close()
	var all []happening
	whole := int64(0)
	for reader := bufio.NewReader(raw); ; {
		line, err := reader.ReadBytes('\n')
		if err != nil {
			return all, whole, nil
		}
		var h happening
		if err := json.Unmarshal(line, &h); err != nil {
			return nil, 0, err
		}
		all, whole = append(all, h), whole+int64(len(line))
	}
}

func seekTo(file *os.File, offset int64) error {
	_, err := file.Seek(offset, 0)
	return err
}

func (h *history) add(line happening) {
	h.mu.Lock()
	defer h.mu.Unlock()
	line.AtMs = time.Now().UnixMilli()
	h.all = append(h.all, line)
	raw, err := json.Marshal(line)
	if err == nil {
		_, err = h.file.Write(append(raw, '\n'))
	}
	if err != nil {
		log.Printf("history not written: %v", err)
	}
}

func (h *history) power(m *machine, on bool) {
	h.add(happening{Machine: m.name, MoRef: m.ref.Value, On: &on})
}

func (h *history) write(e *export, open bool) {
	h.add(happening{Machine: e.machine.name, MoRef: e.machine.ref.Value, Disk: e.disk.key, Open: &open, Export: e.id})
}

func (h *history) close() { h.file.Close() }

type machineHistory struct {
	Machine string        `json:"machine"`
	MoRef   string        `json:"moRef"`
	Power   []powerChange `json:"power"`
	Writers []writerSpan  `json:"writers"`
}

type powerChange struct {
	AtMs int64 `json:"atMs"`
	On   bool  `json:"on"`
}

// writerSpan is the time a disk was open for writing.
type writerSpan struct {
	Disk       int32  `json:"disk"`
	Export     string `json:"export"`
	OpenedAtMs int64  `json:"openedAtMs"`
	ClosedAtMs *int64 `json:"closedAtMs"` // null: still open
}

func (h *history) byMachine(name string) []machineHistory {
	h.mu.Lock()
	defer h.mu.Unlock()
	out := []machineHistory{}
	place := map[string]int{}
	for _, line := range h.all {
		if name != "" && line.Machine != name {
			continue
		}
		i, known := place[line.MoRef]
		if !known {
			i = len(out)
			place[line.MoRef] = i
			out = append(out, machineHistory{MoRef: line.MoRef, Power: []powerChange{}, Writers: []writerSpan{}})
		}
		out[i].add(line)
	}
	return out
}

func (m *machineHistory) add(line happening) {
	m.Machine = line.Machine
	switch {
	case line.On != nil:
		m.Power = append(m.Power, powerChange{line.AtMs, *line.On})
	case line.Open != nil && *line.Open:
		m.Writers = append(m.Writers, writerSpan{Disk: line.Disk, Export: line.Export, OpenedAtMs: line.AtMs})
	default:
		for i := range m.Writers {
			if m.Writers[i].Export == line.Export {
				at := line.AtMs
				m.Writers[i].ClosedAtMs = &at
			}
		}
	}
}

func (v *vcenter) labHistory(w http.ResponseWriter, r *http.Request) {
	answer(w, http.StatusOK, v.history.byMachine(r.URL.Query().Get("machine")))
}
