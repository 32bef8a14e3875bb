//go:build !wasip1

package exproto

// host is static in a module, so that what it is given stays on the stack.
type host = Host

// NewGuest returns an instance that calls h. A module has its own.
func NewGuest(h Host) *Guest { return &Guest{host: h} }
