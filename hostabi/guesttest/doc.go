// Package guesttest runs a guest module against a host that records every call, so that a test can assert event by
// event what a protocol does. It does not meter or limit the guest. It imports hostabi only.
package guesttest
