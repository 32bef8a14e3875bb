package capture

import (
	"bytes"
	"errors"
	"slices"
	"sync/atomic"
	"time"

	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/tap"
	"github.com/exgate/exgate/runtime/tap/internal/redact"
)

// The bounds, in bytes.
const (
	maxRecord       = 1 << 20   // of one event or call
	holdBeforeLogin = 256 << 10 // of a connection whose password is not known yet
	holdAfterLogin  = 8 << 10   // of a connection whose device may log in again
	maxHold         = 8 << 20   // of a connection that may be in the middle of a secret
	maxHeld         = 128 << 20 // of all connections of a listener
	recordSize      = 512       // the memory of a record, excluding what it references
)

// A few of the last reads are held back regardless of their size, if they are among the last records: the device may
// log in again in them.
const (
	heldReads    = 4
	heldRecords  = 64
	manyBytes    = 1 << 20 // above which fewerRecords applies
	fewerRecords = 4       // instead of heldRecords
)

// budget bounds the pending records of all connections together.
type budget struct{ used atomic.Int64 }

func (b *budget) take(n int) bool {
	if b.used.Add(int64(n)) <= maxHeld {
		return true
	}
	b.used.Add(int64(-n))
	return false
}

func (b *budget) give(n int) { b.used.Add(int64(-n)) }

// pendingRecord is a record that is not written yet.
type pendingRecord struct {
	tap.Record
	size    int
	covered bool // a secret is covered in what was received
}

// pendingRecords holds the last records of a connection, in order.
type pendingRecords struct {
	records []pendingRecord
	size    int
}

// add copies r, without the password.
func (h *pendingRecords) add(r *tap.Record, offset time.Duration, size int) {
	c := pendingRecord{Record: *r, size: size}
	c.At += offset
	c.Password = ""
	c.Data, c.Props = bytes.Clone(r.Data), r.Props.Clone()
	if cert := r.Info.PeerCert; cert != nil {
		c.Info.PeerCert = new(*cert)
	}
	c.Info.Properties = slices.Clone(r.Info.Properties)
	c.Messages = slices.Clone(r.Messages)
	for i := range c.Messages {
		m := &c.Messages[i]
		m.Payload, m.Properties = bytes.Clone(m.Payload), m.Properties.Clone()
	}
	if r.Err != nil {
		c.Err = errors.New(gateway.ReasonOf(r.Err).String())
	}
	h.records = append(h.records, c)
	h.size += size
}

// drop removes the oldest n and returns their size.
func (h *pendingRecords) drop(n int) (size int) {
	for _, r := range h.records[:n] {
		size += r.size
	}
	h.records = slices.Delete(h.records, 0, n)
	h.size -= size
	return size
}

// writable returns how many of the oldest records can be written, so that at most keep bytes stay and no secret is
// split.
func (h *pendingRecords) writable(s *redact.Secrets, keep int) int {
	n, left := 0, h.size
	for end := h.lastReads(); n < end && left > keep; n++ {
		left -= h.records[n].size
	}
	for _, kind := range []tap.Kind{tap.Bytes, tap.Send} {
		pieces := h.pieces(kind)
		begun := s.Begun(bytes.Join(pieces, nil))
		for i := len(h.records) - 1; i >= 0 && begun > 0; i-- {
			if r := h.records[i]; r.Kind == kind && len(r.Data) > 0 {
				begun -= len(r.Data)
				n = min(n, i)
			}
		}
	}
	return n
}

// lastReads returns the index of the first read that must be held back.
func (h *pendingRecords) lastReads() int {
	recent := heldRecords
	if h.size > manyBytes {
		recent = fewerRecords
	}
	first, reads := len(h.records), 0
	for i := len(h.records) - 1; i >= max(0, len(h.records)-recent) && reads < heldReads; i-- {
		if h.records[i].Kind == tap.Bytes {
			first = i
			reads++
		}
	}
	return first
}

// pieces returns the data of the records of a kind, which form a stream.
func (h *pendingRecords) pieces(kind tap.Kind) [][]byte {
	var pieces [][]byte
	for _, r := range h.records {
		if r.Kind == kind {
			pieces = append(pieces, r.Data)
		}
	}
	return pieces
}

// redact covers secrets in both streams, and in all other fields of the oldest n.
func (h *pendingRecords) redact(s *redact.Secrets, n int) {
	received := h.pieces(tap.Bytes)
	h.noteCovered(s.PiecesCovered(received))
	s.Pieces(h.pieces(tap.Send))
	for i := range h.records[:n] {
		r := &h.records[i].Record
		if r.Kind == tap.Publish {
			r.Data = s.Bytes(r.Data)
			redactProperties(s, r.Props)
		}
		for _, text := range texts(r) {
			*text = s.Text(*text)
		}
		for j := range r.Messages {
			m := &r.Messages[j]
			m.Topic, m.From, m.ID, m.Payload = s.Text(m.Topic), s.Text(m.From), s.Text(m.ID), s.Bytes(m.Payload)
			redactProperties(s, m.Properties)
		}
		if r.Err != nil {
			r.Err = errors.New(s.Text(r.Err.Error()))
		}
	}
}

func redactProperties(s *redact.Secrets, p *gateway.Properties) {
	if p == nil {
		return
	}
	p.ContentType, p.ResponseTopic = s.Text(p.ContentType), s.Text(p.ResponseTopic)
	p.Correlation = s.Bytes(p.Correlation)
	for i := range p.User {
		p.User[i].Name, p.User[i].Value = s.Text(p.User[i].Name), s.Text(p.User[i].Value)
	}
}

// noteCovered marks the reads in which a secret was covered.
func (h *pendingRecords) noteCovered(covered []bool) {
	n := 0
	for i := range h.records {
		if r := &h.records[i]; r.Kind == tap.Bytes {
			r.covered = r.covered || n < len(covered) && covered[n]
			n++
		}
	}
}

// texts returns the fields of a record that a handler or a device has chosen.
func texts(r *tap.Record) []*string {
	c := &r.Client
	all := []*string{
		&r.Topic, &r.Reason.Name, &r.Reason.Detail, &r.Result.Message, &c.ClientID, &c.Username, &c.ProtoName,
		&c.ProtoVersion, &c.Mountpoint,
	}
	if cert := r.Info.PeerCert; cert != nil {
		all = append(all, &cert.CommonName, &cert.DistinguishedName)
	}
	for i := range r.Info.Properties {
		all = append(all, &r.Info.Properties[i].Value)
	}
	return all
}

// sizeOf returns the memory of a record.
func sizeOf(r *tap.Record) int {
	n := recordSize + len(r.Data) + r.Props.Size()
	for _, text := range texts(r) {
		n += len(*text)
	}
	for _, m := range r.Messages {
		n += recordSize + len(m.Topic) + len(m.Payload) + m.Properties.Size()
	}
	return n
}
