package stack

import (
	"strconv"
	"strings"
)

// OfGo returns the stack that the runtime of Go prints when it ends a program: a goroutine's functions, each before a
// line with its place. Functions of the runtime itself are left out.
func OfGo(printed []byte) (trace Trace) {
	function := ""
	for line := range strings.SplitSeq(string(printed), "\n") {
		place, indented := strings.CutPrefix(line, "\t")
		switch {
		case len(trace) == maxFrames || strings.HasPrefix(line, "goroutine ") && len(trace) > 0:
			return trace
		case !indented:
			function, _, _ = cutLast(line, "(")
		case function != "" && !strings.HasPrefix(function, "panic") && !strings.HasPrefix(function, "runtime."):
			f := Frame{Function: plain(function)}
			f.File, f.Line = goPlace(place)
			trace = append(trace, f)
		}
	}
	return trace
}

// goPlace parses a place such as meter/device.go:42 +0x3.
func goPlace(place string) (file string, line int) {
	place, _, _ = strings.Cut(place, " +0x")
	file, number, ok := cutLast(place, ":")
	line, err := strconv.Atoi(number)
	if !ok || err != nil {
		return "", 0
	}
	return shortPath(file), line
}
