package embedded

import (
	"strings"
	"sync"

	"github.com/mochi-mqtt/server/v2/packets"
)

// maxRetained limits the size of the retained messages, in bytes. The overhead of a message was measured with mochi
// 2.7.9.
const (
	maxRetained      = 64 << 20
	retainedOverhead = 1 << 10
	levelOverhead    = 640
)

// retained tracks the size of the retained messages. mochi stores them without a limit.
type retained struct {
	mu    sync.Mutex
	sizes map[string]int // by topic; guarded by mu
	total int            // guarded by mu
}

func retainedSize(name string, pk packets.Packet) int {
	size := retainedOverhead + len(name) + len(pk.Payload) + levelOverhead*(1+strings.Count(name, "/"))
	for _, user := range pk.Properties.User {
		size += len(user.Key) + len(user.Val) + 32
	}
	return size + len(pk.Properties.ContentType) + len(pk.Properties.ResponseTopic) + len(pk.Properties.CorrelationData)
}

// admit accounts for a message to be retained, and reports false if there is no room for it. A message without payload
// removes the retained one.
func (r *retained) admit(name string, pk packets.Packet) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(pk.Payload) == 0 {
		r.total -= r.sizes[name]
		delete(r.sizes, name)
		return true
	}
	size := retainedSize(name, pk)
	if r.total-r.sizes[name]+size > maxRetained {
		return false
	}
	if r.sizes == nil {
		r.sizes = map[string]int{}
	}
	r.total += size - r.sizes[name]
	r.sizes[name] = size
	return true
}

func (r *retained) bytes() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.total
}
