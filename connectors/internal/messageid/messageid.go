// Package messageid names the messages that connectors hand to devices.
package messageid

import (
	"crypto/rand"
	"strconv"
	"sync/atomic"
)

// Source makes ids that are unique among all gateways.
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
