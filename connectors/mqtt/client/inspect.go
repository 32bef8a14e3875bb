package client

import "time"

// State is what a client has in flight, for tests of the packages above.
type State struct {
	Connected bool
	Inflight  int // unacknowledged QoS 1 and 2 publishes
	Waiting   int // unacknowledged SUBSCRIBE and UNSUBSCRIBE
	Blocked   int // queues that wait for buffer space or quota
	Pending   int // calls of ownQueue that have not been sent
	Filters   int // subscriptions the broker has acknowledged
}

// State returns what the client has in flight now.
func (c *Client) State() State {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.state()
}

// state must be called with mu held.
func (c *Client) state() State {
	return State{
		Connected: c.link != nil, Inflight: len(c.inflight), Waiting: len(c.waiting), Blocked: len(c.blocked),
		Pending: len(c.ownQueue.pending.list), Filters: len(c.filters),
	}
}

// Break closes the socket, as a lost network does, if the client is connected and ready returns true. It reports
// whether it did. The client is locked while ready is called.
func (c *Client) Break(ready func(State) bool) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.link == nil || !ready(c.state()) {
		return false
	}
	_ = c.link.wire.Conn.Close()
	return true
}

// SetLongestDelay bounds the delay before a reconnect, for tests that keep a broker down.
func (b *Broker) SetLongestDelay(d time.Duration) { b.longestDelay = d }

// Spooled returns the client ids with messages in the spool, which must be open, for tests.
func (b *Broker) Spooled() []string { return b.spool.spool.Left() }
