// Package conformance holds what guests and SDKs in every language must agree on, and the kit that any guest is run
// through, whatever its protocol: [Run].
package conformance

import (
	_ "embed"
	"encoding/hex"
	"encoding/json"
	"fmt"
)

//go:embed framing.json
var framingJSON []byte

// Framing is the vectors of framing.json, which framing.md explains.
type Framing struct {
	Framers []Framer  `json:"framers"`
	Stuffed []Stuffed `json:"stuffed"`
	Refused []string  `json:"refused"` // in the notation of framing.md
}

// Framer is a framer, in the notation of framing.md, and what it does.
type Framer struct {
	Framer string        `json:"framer"`
	Cases  []FramingCase `json:"cases"`
}

// FramingCase is what comes of a stream.
type FramingCase struct {
	Name     string   `json:"name"`
	Pieces   []Hex    `json:"in"`
	Outcomes []string `json:"out"` // frames in hexadecimal, too_long or broken
}

// Stuffed is a frame as it goes over the wire.
type Stuffed struct {
	Framer string `json:"framer"`
	Frame  Hex    `json:"frame"`
	Out    Hex    `json:"out"`
}

// Hex is bytes, in JSON hexadecimal digits.
type Hex []byte

// UnmarshalText reads hexadecimal digits.
func (h *Hex) UnmarshalText(digits []byte) (err error) {
	*h, err = hex.AppendDecode(nil, digits)
	return err
}

// FramingVectors returns the vectors of the framing helpers.
func FramingVectors() Framing {
	var f Framing
	if err := json.Unmarshal(framingJSON, &f); err != nil {
		panic(fmt.Sprintf("reading framing.json, which is compiled in: %v", err))
	}
	return f
}

// Cuts is the pieces of every way that a case must be run in: as they are, one byte a piece, and the whole cut in two
// anywhere.
func (c FramingCase) Cuts() [][][]byte {
	var as, single [][]byte
	var all []byte
	for _, p := range c.Pieces {
		as = append(as, p)
		all = append(all, p...)
	}
	cuts := [][][]byte{as}
	for i := range all {
		single = append(single, all[i:i+1])
		cuts = append(cuts, [][]byte{all[:i], all[i:]})
	}
	return append(cuts, single)
}
