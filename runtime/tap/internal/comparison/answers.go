package comparison

import (
	"bytes"

	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/tap"
)

// answer is the answer to a call of the first handler.
type answer struct {
	refused gateway.Result  // OK if the call was accepted
	result  *gateway.Result // nil if none came
	state   []byte          // that came with the result of a login
	arrived bool            // the first handler has got the result
	done    gateway.Done    // of the second handler's call, if it waits
}

// maxAnswers bounds how many calls of one kind one handler may be ahead of the other.
const maxAnswers = 4096

// sequence holds the answers to the calls of one kind that only one of the handlers has made, in order.
type sequence struct {
	waiting       []*answer
	first, second int // how many of waiting each handler has made; one of them is 0
}

// next returns the answer to the next call of the handler that has made the number made of the waiting ones.
func (s *sequence) next(made, other *int) *answer {
	if *made == len(s.waiting) {
		s.waiting = append(s.waiting, new(answer))
	}
	one := s.waiting[*made]
	if *made++; *made > 0 && *other > 0 {
		s.waiting = s.waiting[1:]
		*made--
		*other--
	}
	return one
}

// answers holds the answers of one connection.
type answers struct {
	of     map[tap.Kind]*sequence
	call   map[uint32]*answer // calls of the first handler that may still get a result, by number
	silent []uint32           // the calls that get a result only if they are refused
}

// maxSilent is the number of calls after which an earlier one without a result is taken as accepted.
const maxSilent = 64

func newAnswers() answers {
	return answers{of: make(map[tap.Kind]*sequence), call: make(map[uint32]*answer)}
}

func (a *answers) sequence(kind tap.Kind) *sequence {
	s := a.of[kind]
	if s == nil {
		s = new(sequence)
		a.of[kind] = s
	}
	return s
}

// plan adds a call of the first handler, or the result of one.
func (a *answers) plan(r *tap.Record) {
	if r.Kind.Call() {
		s := a.sequence(r.Kind)
		a.call[r.Call] = s.next(&s.first, &s.second)
		if !r.Wanted {
			a.accept(r.Call)
		}
		return
	}
	one := a.call[r.Call]
	switch {
	case r.Kind != tap.Result || one == nil:
	case r.Refused:
		one.refused = r.Result
	default:
		one.result, one.state = new(r.Result), bytes.Clone(r.Data)
	}
}

// accept adds a call that requests no result, and forgets an old one.
func (a *answers) accept(call uint32) {
	a.silent = append(a.silent, call)
	if len(a.silent) > maxSilent {
		delete(a.call, a.silent[0])
		a.silent = a.silent[1:]
	}
}

// next returns the answer to the next call of the second handler, and whether the first has made that call.
func (a *answers) next(kind tap.Kind) (one *answer, known bool) {
	s := a.sequence(kind)
	known = s.first > 0
	return s.next(&s.second, &s.first), known
}

// many reports whether one handler is too far ahead.
func (a *answers) many() bool {
	for _, s := range a.of {
		if len(s.waiting) > maxAnswers {
			return true
		}
	}
	return len(a.call) > maxAnswers
}

// due returns a function that delivers the result to the second handler's call, or nil if either is missing.
func (a *answer) due() func() {
	if !a.arrived || a.done == nil || a.result == nil {
		return nil
	}
	done, result := a.done, *a.result
	a.done = nil
	return func() { done(result) }
}
