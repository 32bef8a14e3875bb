package guard

import (
	"net"
	"time"
)

// Conn is the account of a caller's connection, below TLS.
type Conn struct {
	net.Conn
	guard *Guard
	since time.Time
	ended chan struct{} // closed with the account
	paced bool          // the last read had to wait. Owned by the reading goroutine.

	// Guarded by guard.mu.
	proven  bool
	begun   int            // calls that pace has not accounted for
	calls   map[uint32]int // received bytes of incomplete messages, by stream
	bytes   int            // their sum
	streams int            // streaming calls in progress
}

// Prove protects the connection from being closed in favour of others: its caller has shown something that only a
// handler has.
func (c *Conn) Prove() {
	c.guard.mu.Lock()
	defer c.guard.mu.Unlock()
	c.proven = true
}

// maxStreams bounds the streaming calls of one connection, which last as long as the caller wants.
const maxStreams = 16

// TakeStream counts a streaming call, which GiveStream ends. It returns false if there are too many.
func (c *Conn) TakeStream() bool {
	c.guard.mu.Lock()
	defer c.guard.mu.Unlock()
	if c.streams >= maxStreams {
		return false
	}
	c.streams++
	return true
}

// GiveStream ends a call counted by TakeStream.
func (c *Conn) GiveStream() {
	c.guard.mu.Lock()
	defer c.guard.mu.Unlock()
	c.streams--
}

// Close ends the connection and its account.
func (c *Conn) Close() error {
	c.guard.mu.Lock()
	c.guard.forget(c)
	c.guard.mu.Unlock()
	return c.Conn.Close()
}

// begin counts a call whose message is expected.
func (c *Conn) begin(stream uint32) {
	if _, begun := c.calls[stream]; begun {
		return
	}
	if c.calls == nil {
		c.calls = make(map[uint32]int)
	}
	c.calls[stream] = 0
	c.guard.calls++
	c.begun++
}

func (c *Conn) grow(stream uint32, n int) {
	if had, begun := c.calls[stream]; begun {
		c.calls[stream] = had + n
		c.bytes += n
		c.guard.bytes += n
	}
}

func (c *Conn) end(stream uint32) {
	if had, begun := c.calls[stream]; begun {
		c.grow(stream, -had)
		delete(c.calls, stream)
		c.guard.calls--
	}
}

// received accounts for a frame of the caller.
func (c *Conn) received(f frame) {
	c.guard.mu.Lock()
	defer c.guard.mu.Unlock()
	if _, open := c.guard.conns[c]; !open {
		return
	}
	switch {
	case f.kind == frameHeaders && f.end:
		c.begun++
		return
	case f.end, f.kind == frameReset:
		c.end(f.stream)
		return
	case f.kind == frameHeaders:
		c.begin(f.stream)
	case f.kind == frameData:
		c.grow(f.stream, f.length)
	}
	c.guard.relieve()
}

// The rate at which all connections that are not proven may begin calls together. A connection that had to wait reads
// little at a time, so that each wait is for few calls.
const (
	unprovenRate  = 20_000 // calls per second
	unprovenBurst = 4096
	pacedRead     = 4096 // bytes; a call takes at least 30
)

// pace delays the reading of an unproven connection that has begun calls.
func (c *Conn) pace() {
	owed := c.debt()
	if owed == 0 {
		return
	}
	timer := time.NewTimer(owed)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-c.ended:
	}
}

// debt returns how long the connection must wait for the calls begun since the last time.
func (c *Conn) debt() time.Duration {
	c.guard.mu.Lock()
	begun, proven := c.begun, c.proven
	c.begun = 0
	c.guard.mu.Unlock()
	if proven || begun == 0 {
		c.paced = c.paced && !proven
		return 0
	}
	owed := c.guard.unproven.ReserveN(time.Now(), min(begun, unprovenBurst)).Delay()
	c.paced = owed > 0
	return owed
}

// readable returns the part of b to read at once.
func (c *Conn) readable(b []byte) []byte {
	if !c.paced {
		return b
	}
	return b[:min(len(b), pacedRead)]
}

// sent accounts for a frame of the server: an answer says that it has received the message, or does not want it.
func (c *Conn) sent(f frame) {
	c.guard.mu.Lock()
	defer c.guard.mu.Unlock()
	switch {
	case f.end, f.kind == frameReset:
		c.end(f.stream)
	case f.kind == frameData:
		c.grow(f.stream, -c.calls[f.stream])
	}
}

// framed is a caller's connection above TLS.
type framed struct {
	net.Conn
	account *Conn
	in, out frames // the first owned by the reading goroutine, the second by the writing one
}

func (c *Conn) framed(upper net.Conn) *framed {
	return &framed{Conn: upper, account: c, in: frames{skip: prefaceLen}}
}

func (c *framed) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(c.account.readable(b))
	c.in.follow(b[:n], c.account.received)
	c.account.pace()
	return n, err
}

func (c *framed) Write(b []byte) (int, error) {
	c.out.follow(b, c.account.sent)
	return c.Conn.Write(b)
}
