package replay

import (
	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/tap"
)

// answer is what a recorded call was answered with.
type answer struct {
	refused gateway.Result  // OK where the call was accepted
	result  *gateway.Result // nil where none came
	arrived bool            // the place of the result in the capture was passed
	done    gateway.Done    // of the replayed call that waits for it
}

// answers are those of one connection.
type answers struct {
	of   map[tap.Kind][]*answer // in the order of the calls
	call map[uint32]*answer     // by the number of the call
}

func newAnswers() answers {
	return answers{of: make(map[tap.Kind][]*answer), call: make(map[uint32]*answer)}
}

// plan takes a recorded call, or the result of one.
func (a answers) plan(r *tap.Record) {
	if r.Kind.Call() {
		one := new(answer)
		a.of[r.Kind] = append(a.of[r.Kind], one)
		a.call[r.Call] = one
		return
	}
	one := a.call[r.Call]
	switch {
	case r.Kind != tap.Result || one == nil:
	case r.Refused:
		one.refused = r.Result
	default:
		one.result = new(r.Result)
	}
}

// next returns the answer to the next call of kind: a call that the recorded handler did not make goes well.
func (a answers) next(kind tap.Kind) *answer {
	if len(a.of[kind]) == 0 {
		return &answer{result: new(gateway.OK), arrived: true}
	}
	one := a.of[kind][0]
	a.of[kind] = a.of[kind][1:]
	return one
}

// due returns what tells the replayed call its result, once there are both.
func (a *answer) due() func() {
	if !a.arrived || a.done == nil || a.result == nil {
		return nil
	}
	done, result := a.done, *a.result
	a.done = nil
	return func() { done(result) }
}
