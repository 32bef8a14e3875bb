package access

import (
	"container/list"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"sync"
	"time"

	"github.com/exgate/exgate/runtime/gateway"
)

// cacheKey is a keyed digest of a login, so that the cache holds no password.
type cacheKey [sha256.Size]byte

// cacheSize is the number of cached answers; the least recently used one is evicted.
const cacheSize = 10000

// answerCache caches the answers of the service.
type answerCache struct {
	secret [32]byte
	ttl    time.Duration // 0 disables the cache
	size   int

	mu      sync.Mutex
	entries map[cacheKey]*list.Element // guarded by mu
	recent  *list.List                 // of cachedAnswer, most recently used first; guarded by mu
}

type cachedAnswer struct {
	key    cacheKey
	answer Answer
	until  time.Time
}

func newAnswerCache(ttl time.Duration, size int) *answerCache {
	c := &answerCache{ttl: ttl, size: size, entries: map[cacheKey]*list.Element{}, recent: list.New()}
	_, _ = rand.Read(c.secret[:])
	return c
}

func (c *answerCache) on() bool { return c.ttl > 0 }

// keyOf digests all fields of a login except the peer's port, which differs for each connection.
func (c *answerCache) keyOf(device gateway.Device, password string) (key cacheKey) {
	mac := hmac.New(sha256.New, c.secret[:])
	for _, field := range []string{
		device.ClientID, device.Username, password, device.ProtoName, device.ProtoVersion,
		device.Peer.Addr().String(), device.Listener, device.Module,
	} {
		mac.Write(binary.BigEndian.AppendUint64(nil, uint64(len(field))))
		mac.Write([]byte(field))
	}
	mac.Sum(key[:0])
	return key
}

func (c *answerCache) get(key cacheKey) (Answer, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.entries[key]
	if e == nil {
		return Answer{}, false
	}
	cached := e.Value.(cachedAnswer)
	if !time.Now().Before(cached.until) {
		c.remove(e)
		return Answer{}, false
	}
	c.recent.MoveToFront(e)
	return cached.answer, true
}

// put stores an answer for the cache's TTL, or until the answer itself expires if that is earlier.
func (c *answerCache) put(key cacheKey, answer Answer) {
	if !c.on() {
		return
	}
	until := time.Now().Add(c.ttl)
	if e := answer.Expires; !e.IsZero() && e.Before(until) {
		until = e
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if e := c.entries[key]; e != nil {
		c.remove(e)
	}
	c.entries[key] = c.recent.PushFront(cachedAnswer{key, answer, until})
	for len(c.entries) > c.size {
		c.remove(c.recent.Back())
	}
}

// remove requires mu.
func (c *answerCache) remove(e *list.Element) {
	delete(c.entries, c.recent.Remove(e).(cachedAnswer).key)
}
