package stack

import (
	"strconv"
	"strings"
)

// call is a frame of a trace as wazero prints it.
type call struct {
	index  int    // of the function in the module; -1 if name is set
	name   string // of a host function
	offset uint32 // in the metered code section; 0 if unknown
}

const traceHeading = "wasm stack trace:\n\t"

// calls parses the trace in the text of an error, innermost function first.
func calls(text string) (all []call) {
	_, trace, ok := cutLast(text, traceHeading)
	if !ok {
		return nil
	}
	trace, _, _ = strings.Cut(trace, "\n\n") // the trace of a runtime error in Go follows
	for line := range strings.SplitSeq(trace, "\n\t") {
		if where, ok := strings.CutPrefix(line, "\t"); ok {
			if n := len(all); n > 0 {
				all[n-1].offset = offsetOf(where)
			}
			continue
		}
		name, _, ok := strings.Cut(line, "(")
		if !ok {
			continue // wazero omits frames from here on
		}
		all = append(all, callOf(name))
	}
	return all
}

func cutLast(s, separator string) (before, after string, found bool) {
	i := strings.LastIndex(s, separator)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(separator):], true
}

// callOf parses a function: .$12 is the module's function 12.
func callOf(name string) call {
	if number, ok := strings.CutPrefix(name, ".$"); ok {
		if index, err := strconv.ParseUint(number, 10, 31); err == nil {
			return call{index: int(index)}
		}
	}
	return call{index: -1, name: strings.TrimPrefix(name, ".")}
}

func offsetOf(where string) uint32 {
	number, _, _ := strings.Cut(where, ":")
	offset, err := strconv.ParseUint(number, 0, 32)
	if err != nil {
		return 0
	}
	return uint32(offset)
}
