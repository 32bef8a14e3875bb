package adapter

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"slices"
	"strings"
	"sync"

	"google.golang.org/grpc/metadata"
)

// scope says which connections a caller may touch: those of the handlers with one token, or those of the handlers without. It is the token's
// digest, and zero without a token.
type scope [sha256.Size]byte

func scopeOf(token string) scope {
	if token == "" {
		return scope{}
	}
	return sha256.Sum256([]byte(token))
}

// is compares in a time that does not depend on how alike the scopes are.
func (s scope) is(other scope) bool { return subtle.ConstantTimeCompare(s[:], other[:]) == 1 }

// scopes are those of the handlers that there are.
type scopes struct {
	mu   sync.RWMutex
	held []heldScope
}

type heldScope struct {
	scope    scope
	handlers int
}

func (s *scopes) join(joined scope) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.held {
		if s.held[i].scope == joined {
			s.held[i].handlers++
			return
		}
	}
	s.held = append(s.held, heldScope{scope: joined, handlers: 1})
}

func (s *scopes) leave(left scope) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.held = slices.DeleteFunc(s.held, func(h heldScope) bool { return h.scope == left && h.handlers == 1 })
	for i := range s.held {
		if s.held[i].scope == left {
			s.held[i].handlers--
		}
	}
}

// What is wrong with a caller's token.
var (
	errNoToken      = errors.New("the adapter wants a token: send the metadata authorization: Bearer TOKEN with the handler's adapter token")
	errUnknownToken = errors.New("no handler has this adapter token")
)

// of returns the scope of a caller that sent header. Where no handler has a token, the header is not looked at: handlers written for EMQX may
// send what they like.
func (s *scopes) of(header metadata.MD) (scope, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	open := slices.ContainsFunc(s.held, func(h heldScope) bool { return h.scope == scope{} })
	switch values := header.Get("authorization"); {
	case len(s.held) == 0, open && len(s.held) == 1, open && len(values) == 0:
		return scope{}, nil
	case len(values) == 0:
		return scope{}, errNoToken
	default:
		return s.known(bearer(values[0]))
	}
}

// known returns token's scope if a handler has it. It looks at all of them, so that its time tells nothing.
func (s *scopes) known(token string) (scope, error) {
	presented, known := scopeOf(token), false
	for _, h := range s.held {
		known = h.scope.is(presented) || known
	}
	if token == "" || !known {
		return scope{}, errUnknownToken
	}
	return presented, nil
}

// maxToken bounds what is hashed for a caller that nobody knows yet.
const maxToken = 4 << 10

// bearer returns the token of an authorization header, "" where it holds none.
func bearer(value string) string {
	scheme, token, _ := strings.Cut(value, " ")
	if !strings.EqualFold(scheme, "Bearer") || len(token) > maxToken {
		return ""
	}
	return strings.TrimSpace(token)
}
