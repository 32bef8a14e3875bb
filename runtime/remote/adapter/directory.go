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

// directory finds connections by id for calls of handlers. A connection is listed from OnSocketCreated until
// OnSocketClosed has been delivered.
type directory struct {
	scopes scopes
	conns  sync.Map // string to *listed
}

// Registration lists the connections of one handler.
type Registration struct {
	in      *directory
	handler string
	scope   scope
}

type listedConn struct {
	gateway.ConnectionAdapter
	registration *Registration
}

// handler returns the name of the connection's handler, or "" if l is nil.
func (l *listedConn) handler() string {
	if l == nil {
		return ""
	}
	return l.registration.handler
}

// register adds a handler whose connections may be called for with token, or without any if token is "".
func (d *directory) register(handler, token string) *Registration {
	r := &Registration{in: d, handler: handler, scope: scopeOf(token)}
	d.scopes.join(r.scope)
	return r
}

// Leave removes the handler. Call it once.
func (r *Registration) Leave() { r.in.scopes.leave(r.scope) }

func (r *Registration) Add(id string, conn gateway.ConnectionAdapter) {
	r.in.conns.Store(id, &listedConn{ConnectionAdapter: conn, registration: r})
}

func (r *Registration) Remove(id string) { r.in.conns.Delete(id) }

// find returns the connection named id; it does not check who may call for it.
func (d *directory) find(id string) (*listedConn, bool) {
	found, ok := d.conns.Load(id)
	if !ok {
		return nil, false
	}
	return found.(*listedConn), true
}

// scope is the set of connections that a caller may call for: those of the handlers with one token, or of the handlers
// without. It is the digest of the token, or zero without one.
type scope [sha256.Size]byte

func scopeOf(token string) scope {
	if token == "" {
		return scope{}
	}
	return sha256.Sum256([]byte(token))
}

// is compares in constant time.
func (s scope) is(other scope) bool { return subtle.ConstantTimeCompare(s[:], other[:]) == 1 }

// scopes holds the scopes of all registered handlers.
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

// Errors of callers' tokens.
var (
	errNoToken = errors.New(
		"a token is required: send the metadata authorization: Bearer TOKEN with the handler's adapter token")
	errUnknownToken = errors.New("no handler has this adapter token")
)

// of returns the scope of a caller that sent header. If no handler has a token, the header is ignored: handlers written
// for EMQX may send anything.
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

// known returns token's scope if a handler has it. It compares with every scope, so that its duration reveals nothing.
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

// maxToken bounds the bytes that are hashed for an unknown caller.
const maxToken = 4 << 10

// bearer returns the token of an authorization header, or "" if it has none.
func bearer(value string) string {
	scheme, token, _ := strings.Cut(value, " ")
	if !strings.EqualFold(scheme, "Bearer") || len(token) > maxToken {
		return ""
	}
	return strings.TrimSpace(token)
}
