package mqtt

import "github.com/exgate/exgate/runtime/gateway"

// callbacks are functions to be called once no lock is held.
type callbacks []callback

type callback struct {
	done   gateway.Done
	result gateway.Result
}

// add adds the callback of a call, which gets no other result.
func (cb *callbacks) add(k *call, r gateway.Result) {
	cb.finish(k.done, r)
	k.done = nil
}

// finish adds done, which may be nil.
func (cb *callbacks) finish(done gateway.Done, r gateway.Result) {
	if done != nil {
		*cb = append(*cb, callback{done, r})
	}
}

// runAsync runs the callbacks on another goroutine.
func (cb callbacks) runAsync() {
	if len(cb) > 0 {
		go cb.run()
	}
}

// then adds a function.
func (cb *callbacks) then(f func()) {
	*cb = append(*cb, callback{func(gateway.Result) { f() }, gateway.OK})
}

func (cb callbacks) run() {
	for _, each := range cb {
		each.done(each.result)
	}
}

// finish calls done, which may be nil. No lock may be held.
func finish(done gateway.Done, r gateway.Result) {
	if done != nil {
		done(r)
	}
}
