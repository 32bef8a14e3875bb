package client

import "github.com/exgate/exgate/runtime/gateway"

// Callbacks are functions to be called once no lock is held.
type Callbacks []callback

type callback struct {
	done   gateway.Done
	result gateway.Result
}

// add adds the callback of a call, which gets no other result.
func (cb *Callbacks) add(k *call, r gateway.Result) {
	cb.Finish(k.done, r)
	k.done = nil
}

// Finish adds done, which may be nil.
func (cb *Callbacks) Finish(done gateway.Done, r gateway.Result) {
	if done != nil {
		*cb = append(*cb, callback{done, r})
	}
}

// runAsync runs the callbacks on another goroutine.
func (cb Callbacks) runAsync() {
	if len(cb) > 0 {
		go cb.Run()
	}
}

// Then adds a function.
func (cb *Callbacks) Then(f func()) {
	*cb = append(*cb, callback{func(gateway.Result) { f() }, gateway.OK})
}

func (cb Callbacks) Run() {
	for _, each := range cb {
		each.done(each.result)
	}
}

// Finish calls done, which may be nil. No lock may be held.
func Finish(done gateway.Done, r gateway.Result) {
	if done != nil {
		done(r)
	}
}
