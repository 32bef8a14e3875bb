// Package conformance holds what guests and SDKs in every language must agree on.
package conformance
