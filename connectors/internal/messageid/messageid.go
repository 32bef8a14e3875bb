// Package messageid generates ids for the messages that connectors deliver to devices.
package messageid

import (
	"crypto/rand"
	"strconv"
	"sync/atomic"
)

// Source generates ids that are unique across gateways.
type Source struct {
	prefix string
	last   atomic.Uint64
}

// New returns a Source with a random prefix.
func New() *Source { return &Source{prefix: rand.Text()[:13] + "-"} }

// Next returns the next id.
func (s *Source) Next() string {
	var buf [40]byte
	return string(strconv.AppendUint(append(buf[:0], s.prefix...), s.last.Add(1), 36))
}
