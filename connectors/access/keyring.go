package access

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// minRenew limits how often a token can cause a refresh: strangers choose its key id.
const minRenew = 10 * time.Second

// keyring holds the keys that tokens are verified with, and refreshes them.
type keyring struct {
	every  time.Duration
	log    *slog.Logger
	cancel context.CancelFunc
	ended  chan struct{}
	wanted chan chan struct{} // closed by run when the keys are fresh enough

	tried time.Time // owned by run

	mu      sync.Mutex
	sources []*keySource // the keys and errors in them are guarded by mu
}

// newKeyring reads the sources that must be available at the start.
func newKeyring(sources []*keySource, every time.Duration, log *slog.Logger) (*keyring, error) {
	ctx, cancel := context.WithCancel(context.Background())
	k := &keyring{
		every: every, log: log, cancel: cancel, ended: make(chan struct{}), wanted: make(chan chan struct{}),
		sources: sources,
	}
	for _, s := range sources {
		if s.later {
			s.err = errors.New("the keys have not been fetched yet")
			continue
		}
		if s.keys, s.err = s.read(ctx); s.err != nil {
			cancel()
			return nil, fmt.Errorf("reading the JWT keys: %w", s.err)
		}
		k.tried = time.Now()
	}
	if slices.ContainsFunc(sources, func(s *keySource) bool { return s.later }) {
		k.tried = time.Time{}
	}
	go k.run(ctx)
	return k, nil
}

func (k *keyring) close() {
	k.cancel()
	<-k.ended
	for _, s := range k.sources {
		s.close()
	}
}

// run refreshes the keys periodically, and on request.
func (k *keyring) run(ctx context.Context) {
	defer close(k.ended)
	next := time.NewTimer(0)
	defer next.Stop()
	for {
		next.Reset(time.Until(k.tried.Add(k.pause())))
		select {
		case <-ctx.Done():
			return
		case <-next.C:
			k.refresh(ctx)
		case done := <-k.wanted:
			if time.Since(k.tried) >= minRenew {
				k.refresh(ctx)
			}
			close(done)
		}
	}
}

// pause is shorter while keys are missing.
func (k *keyring) pause() time.Duration {
	k.mu.Lock()
	defer k.mu.Unlock()
	if slices.ContainsFunc(k.sources, func(s *keySource) bool { return s.keys == nil }) {
		return min(k.every, minRenew)
	}
	return k.every
}

// refresh reads all sources. A source that fails keeps its keys.
func (k *keyring) refresh(ctx context.Context) {
	for _, s := range k.sources {
		keys, err := s.read(ctx)
		if ctx.Err() != nil {
			return
		}
		k.mu.Lock()
		s.err = err
		if err == nil {
			s.keys = keys
		}
		k.mu.Unlock()
		s.logProblem(k.log, err)
	}
	k.tried = time.Now()
}

// logProblem logs each problem of a source once.
func (s *keySource) logProblem(log *slog.Logger, err error) {
	switch {
	case err != nil && err.Error() != s.problem:
		s.problem = err.Error()
		log.Error("cannot refresh the JWT keys; keeping the old ones", "error", err)
	case err == nil && s.problem != "":
		s.problem = ""
		log.Info("refreshed the JWT keys again", "from", s.name)
	}
}

// renew refreshes the keys, unless that has just been done. It returns an error if ctx or the keyring ends first.
func (k *keyring) renew(ctx context.Context) error {
	done := make(chan struct{})
	select {
	case k.wanted <- done:
	case <-ctx.Done():
		return fmt.Errorf("waiting for the JWT keys: %w", ctx.Err())
	case <-k.ended:
		return errors.New("the JWT authenticator is closed")
	}
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("waiting for the JWT keys: %w", ctx.Err())
	}
}

// find returns the keys that may have signed a token. Without an id, these are all keys for the algorithm.
func (k *keyring) find(algorithm jose.SignatureAlgorithm, id string) (found []any) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, s := range k.sources {
		for _, key := range s.keys {
			if slices.Contains(key.algorithms, algorithm) && (id == "" || key.id == "" || key.id == id) {
				found = append(found, key.key)
			}
		}
	}
	return found
}

// has reports whether a refresh cannot add a key for id: the key is present, or no source has ids, or id is empty and
// all sources have keys.
func (k *keyring) has(id string) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	sets := false
	for _, s := range k.sources {
		if s.keys == nil {
			return false
		}
		sets = sets || s.set
		if id != "" && slices.ContainsFunc(s.keys, func(key verifyKey) bool { return key.id == id }) {
			return true
		}
	}
	return !sets || id == ""
}

// trouble returns why keys may be missing, or nil.
func (k *keyring) trouble() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, s := range k.sources {
		if s.err != nil {
			return s.err
		}
	}
	return nil
}
