// Package probe is the test suite for the probe guest of each SDK: the protocol of hostabi/conformance/probe.md, byte
// for byte.
package probe
