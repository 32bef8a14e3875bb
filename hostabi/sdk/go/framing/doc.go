// Package framing splits a stream into frames, however the network has cut it: by delimiter, by length, by fixed size,
// or by escapes.
//
// hostabi/conformance/framing.md defines the four kinds byte by byte. Check the rules once, when the module starts, and
// give each connection its own [Framer]:
//
//	lines, err := framing.New(framing.Delimiter{Bytes: []byte("\n"), Max: 1024, Strip: framing.StripLine})
//	...
//	d := &device{lines: lines.Framer()}
//	...
//	for line, err := range d.lines.Frames(&b) {
package framing
