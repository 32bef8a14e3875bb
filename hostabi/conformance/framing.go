package conformance

import (
	_ "embed"
	"encoding/hex"
	"encoding/json"
	"fmt"
)

//go:embed framing.json
var framingJSON []byte

// Framing contains the vectors of framing.json, which framing.md explains.
type Framing struct {
	Framers []Framer  `json:"framers"`
	Stuffed []Stuffed `json:"stuffed"`
	Refused []string  `json:"refused"` // in the notation of framing.md
}

// Framer is a framer, in the notation of framing.md, with its test cases.
type Framer struct {
	Framer string        `json:"framer"`
	Cases  []FramingCase `json:"cases"`
}

// FramingCase is a stream and its expected outcomes.
type FramingCase struct {
	Name     string   `json:"name"`
	Pieces   []Hex    `json:"in"`
	Outcomes []string `json:"out"` // frames in hexadecimal, too_long or broken
}

// Stuffed is a frame and its form on the wire.
type Stuffed struct {
	Framer string `json:"framer"`
	Frame  Hex    `json:"frame"`
	Out    Hex    `json:"out"`
}

// Hex is a byte string, in JSON a string of hexadecimal digits.
type Hex []byte

// UnmarshalText parses hexadecimal digits.
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

// Cuts returns the ways in which a case must be split into pieces: as given, one byte per piece, and the whole split in
// two at each place.
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
