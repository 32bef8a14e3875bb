package spool

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	asideFolder = "refused" // below the spool's folder
	asideEnd    = ".json"
	maxAside    = 1000 // records
	maxAsideLen = 1 << 30
)

// ErrAsideFull is returned by [Queue.SetAside] if an operator has to deal with the messages already set aside first.
var ErrAsideFull = fmt.Errorf("%d messages are already set aside; list, resend or drop them (exgate spool)", maxAside)

// Aside is a record that the broker does not accept. It is kept in a file of its own until an operator resends or drops
// it.
type Aside struct {
	ID         string    `json:"-"` // the file name without its extension
	ClientID   string    `json:"client_id"`
	Topic      string    `json:"topic"`
	QoS        byte      `json:"qos"`
	Payload    []byte    `json:"payload"`
	Properties []byte    `json:"properties,omitempty"`
	Retain     bool      `json:"retain,omitempty"`
	At         time.Time `json:"published_at"`
	Reason     string    `json:"reason"`
}

// SetAside moves the record that First returned with this number from the queue to a file, and syncs the file. After an
// error, the record is still in the queue.
func (q *Queue) SetAside(seq uint64, reason string) error {
	s := q.spool
	s.mu.Lock()
	from, handed := place{q.number, seq}, q.handed.sequence
	s.mu.Unlock()
	if handed != seq {
		return nil // dropped since
	}
	found, value, err := s.read(from)
	if err != nil {
		return err
	}
	if found != from {
		return nil
	}
	r, err := decode(value)
	if err != nil {
		return err
	}
	aside := Aside{
		ClientID: q.clientID, Topic: r.Topic, QoS: r.QoS, Payload: r.Payload, Properties: r.Properties, At: r.At,
		Retain: r.Retain, Reason: reason,
	}
	if err := aside.write(s.cfg.Folder); err != nil {
		return err
	}
	s.cfg.Metrics.aside.Inc()
	q.Remove(seq)
	return nil
}

func (a Aside) write(folder string) error {
	folder = filepath.Join(folder, asideFolder)
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return err
	}
	names, err := os.ReadDir(folder)
	if err != nil {
		return err
	}
	if len(names) >= maxAside {
		return ErrAsideFull
	}
	text, err := json.MarshalIndent(a, "", "  ")
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(folder, ".new-")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(append(text, '\n'))
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := link(f.Name(), folder); err != nil {
		return err
	}
	dir, err := os.Open(folder)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// link gives the file the first free name.
func link(file, folder string) (err error) {
	for n := range int64(maxAside) {
		name := strconv.FormatInt(time.Now().UnixMilli()+n, 10) + asideEnd
		if err = os.Link(file, filepath.Join(folder, name)); !errors.Is(err, os.ErrExist) {
			return err
		}
	}
	return err
}

// ListAside returns the records set aside in a spool's folder, oldest first, and an error for files it cannot read.
// Another process may have the spool open.
func ListAside(folder string) ([]Aside, error) {
	files, err := os.ReadDir(filepath.Join(folder, asideFolder))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var (
		list []Aside
		bad  []error
	)
	for _, f := range files {
		id, ok := strings.CutSuffix(f.Name(), asideEnd)
		if !ok || !f.Type().IsRegular() {
			continue
		}
		a, err := readAside(filepath.Join(folder, asideFolder, f.Name()))
		if errors.Is(err, os.ErrNotExist) { // dropped since
			continue
		}
		if err != nil {
			bad = append(bad, err)
			continue
		}
		a.ID = id
		list = append(list, a)
	}
	slices.SortFunc(list, func(a, b Aside) int { return strings.Compare(a.ID, b.ID) })
	return list, errors.Join(bad...)
}

func readAside(path string) (a Aside, err error) {
	info, err := os.Stat(path)
	if err != nil {
		return a, err
	}
	if info.Size() > maxAsideLen {
		return a, fmt.Errorf("%s: a file of %d bytes is too large for a message", path, info.Size())
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return a, err
	}
	if err := json.Unmarshal(text, &a); err != nil {
		return a, fmt.Errorf("%s: %w", path, err)
	}
	return a, nil
}

// DropAside deletes the record that was set aside with this ID.
func DropAside(folder, id string) error {
	if id == "" || strings.ContainsAny(id, `/\.`) {
		return fmt.Errorf("%q is not the id of a message that was set aside", id)
	}
	return os.Remove(filepath.Join(folder, asideFolder, id+asideEnd))
}
