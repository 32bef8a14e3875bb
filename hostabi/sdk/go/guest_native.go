//go:build !wasip1

package exproto

// host is static in a module, so that arguments stay on the stack.
type host = Host

// NewGuest returns an instance that calls h. In a module there is one instance.
func NewGuest(h Host) *Guest { return &Guest{host: h} }
