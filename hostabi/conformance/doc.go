// Package conformance contains the test vectors that guests and SDKs in every language must agree on, and [Run], the
// kit that tests any guest, whatever its protocol. It imports hostabi only. Begin reading at kit.go and scenarios.go.
package conformance
