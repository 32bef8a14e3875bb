package dtls

// Used by the tests of listeners.
var (
	AHello     = aHello
	AHelloWith = aHelloWith
	ARecord    = aRecord
	AMessage   = aMessage
)

// SetMaxUnverified changes how many sources may have an unproved address.
func (c *Config) SetMaxUnverified(n int) { c.maxUnverified = n }

// Pending is how many handshakes are in progress: of sources that have not proved their address, and of those that
// have.
func (l *Listener) Pending() (unverified, verified int) {
	return l.unverified.Len(), l.handshaking.Len()
}

// Peers is how many addresses the listener knows.
func (l *Listener) Peers() int { return l.mux.Peers() }
