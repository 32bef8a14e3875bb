package gatewaytest

import (
	"context"
	"fmt"
	"sync"

	"github.com/exgate/exgate/runtime/gateway"
)

// States is a store of states in memory. The zero value is empty and may be used.
type States struct {
	// Opening is called by Open; an error refuses it. Optional.
	Opening func(context.Context, gateway.StateKey) error
	// Outcome is the result of saves.
	Outcome gateway.Result

	mu    sync.Mutex // guards the fields below
	kept  map[gateway.StateKey][]byte
	log   []string
	hold  bool
	dones []func()
}

var _ gateway.StateStore = (*States)(nil)

// MaxBytes returns 4 KiB.
func (*States) MaxBytes() int { return 4096 }

// Open returns what was saved last.
func (s *States) Open(ctx context.Context, key gateway.StateKey) (gateway.OwnedState, []byte, error) {
	if s.Opening != nil {
		if err := s.Opening(ctx, key); err != nil {
			return nil, nil, err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.log = append(s.log, fmt.Sprintf("open %s %q", key.Owner, key.ClientID))
	return &ownedState{s, key}, s.kept[key], nil
}

// Put sets a value, as an earlier connection would have.
func (s *States) Put(key gateway.StateKey, value []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.kept == nil {
		s.kept = make(map[gateway.StateKey][]byte)
	}
	s.kept[key] = value
}

// Hold delays the results of saves until it is called with false.
func (s *States) Hold(hold bool) {
	s.mu.Lock()
	s.hold = hold
	dones := s.dones
	s.dones = nil
	s.mu.Unlock()
	for _, done := range dones {
		done()
	}
}

// Take returns the calls since the last Take, one a line.
func (s *States) Take() (log []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	log, s.log = s.log, nil
	return log
}

type ownedState struct {
	store *States
	key   gateway.StateKey
}

func (o *ownedState) Save(value []byte, done gateway.Done) {
	s := o.store
	if s.Outcome.Ok() {
		s.Put(o.key, value)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.log = append(s.log, fmt.Sprintf("save %q %q", o.key.ClientID, value))
	finish := func() { done(s.Outcome) }
	if s.hold {
		s.dones = append(s.dones, finish)
		return
	}
	go finish()
}

func (o *ownedState) Close() {
	o.store.mu.Lock()
	defer o.store.mu.Unlock()
	o.store.log = append(o.store.log, fmt.Sprintf("close %q", o.key.ClientID))
}
