package adapter

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"slices"
	"strings"
	"sync"

	"google.golang.org/grpc/metadata"

	"github.com/exgate/exgate/runtime/gateway"
)

// directory finds connections by their id for calls that come from outside: from OnSocketCreated until OnSocketClosed was delivered.
type directory struct {
	scopes scopes
	conns  sync.Map // string to *listed
}

// Registration enters the connections of one handler into a directory.
type Registration struct {
	in      *directory
	handler string
	scope   scope
}

type listedConn struct {
	gateway.ConnectionAdapter
	registration *Registration
}

// handler is the name of the handler that was given the connection, "" without a connection.
func (l *listedConn) handler() string {
	if l == nil {
		return ""
	}
	return l.registration.handler
}

// register begins a handler's registry: callers that present token, or none where it is "", may touch its connections.
func (d *directory) register(handler, token string) *Registration {
	r := &Registration{in: d, handler: handler, scope: scopeOf(token)}
	d.scopes.join(r.scope)
	return r
}

// Leave ends the registry; it is called once.
func (r *Registration) Leave() { r.in.scopes.leave(r.scope) }

func (r *Registration) Add(id string, conn gateway.ConnectionAdapter) {
	r.in.conns.Store(id, &listedConn{ConnectionAdapter: conn, registration: r})
}

func (r *Registration) Remove(id string) { r.in.conns.Delete(id) }

// find returns the connection, whoever may touch it.
func (d *directory) find(id string) (*listedConn, bool) {
	found, ok := d.conns.Load(id)
	if !ok {
		return nil, false
	}
	return found.(*listedConn), true
}

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
