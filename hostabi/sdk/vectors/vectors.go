package vectors

import (
	_ "embed"
	"encoding/json"
	"fmt"
)

//go:embed vectors.json
var vectorsJSON []byte

// Vector is an operation and its outcome.
type Vector struct {
	Op  string `json:"op"`
	Out string `json:"out"`
}

// All returns the vectors of vectors.json.
func All() (all []Vector) {
	if err := json.Unmarshal(vectorsJSON, &all); err != nil {
		panic(fmt.Sprintf("reading vectors.json, which is compiled in: %v", err))
	}
	return all
}
