// Package control is how commands of exgate talk to a running gateway: its own user and root make requests by name, and read the answers, at a unix
// socket of the process.
//
// A request is a line: its name, and where it has arguments a space and a JSON object. The answers are lines of JSON; the last one has done or error.
// What they say stays: the gateway and the command may be of different versions.
package control

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net"
	"os"
	"sync"
	"time"
)

const (
	requestTimeout = 5 * time.Second // for whoever connects to make a request, and for one line of the answer to be taken
	maxRequest     = 4096            // bytes of a request
	maxRequests    = 16              // under way
)

// Handler carries out a request, on a goroutine of its own. It may hand it on: the request is over with Done or Failed.
type Handler func(*Request)

// Server is where a running gateway takes requests from its own user and from root. A nil *Server takes none.
type Server struct {
	listener *net.UnixListener
	owner    int // the user who may ask, beside root
	log      *slog.Logger
	handlers map[string]Handler
	ctx      context.Context
	stop     context.CancelFunc
	work     sync.WaitGroup
	places   chan struct{}
}

// Listen takes requests for handlers, by name. On systems without abstract unix sockets it cannot, and nil is returned.
func Listen(log *slog.Logger, handlers map[string]Handler) (*Server, error) {
	l, err := listen(os.Getpid())
	if l == nil {
		return nil, err
	}
	s := &Server{listener: l, owner: os.Geteuid(), log: log, handlers: handlers, places: make(chan struct{}, maxRequests)}
	s.ctx, s.stop = context.WithCancel(context.Background())
	s.work.Go(s.serve)
	return s, nil
}

// Close takes no more requests, ends the contexts of those that are under way and waits for their handlers. Requests that were handed on can still be
// answered.
func (s *Server) Close() {
	if s == nil {
		return
	}
	s.stop()
	_ = s.listener.Close()
	s.work.Wait()
}

func (s *Server) serve() {
	for {
		conn, err := s.listener.AcceptUnix()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			s.log.Warn("a request at the control socket could not be accepted", "error", err)
			s.pause()
			continue
		}
		s.accept(conn)
	}
}

func (s *Server) pause() {
	select {
	case <-s.ctx.Done():
	case <-time.After(time.Second):
	}
}

// accept has the request of a peer that may make one read and carried out.
func (s *Server) accept(conn *net.UnixConn) {
	if _, uid, err := peer(conn); err != nil || uid != 0 && uid != s.owner {
		s.log.Warn("a request at the control socket was refused: it came from another user", "uid", uid)
		_ = conn.Close()
		return
	}
	select {
	case s.places <- struct{}{}:
	default:
		s.log.Warn("a request at the control socket was refused: too many are under way", "limit", maxRequests)
		_ = conn.Close()
		return
	}
	s.work.Go(func() {
		defer func() { <-s.places }()
		s.receive(conn)
	})
}

// receive reads a request and carries it out. What is none is cut off.
func (s *Server) receive(conn *net.UnixConn) {
	_ = conn.SetReadDeadline(time.Now().Add(requestTimeout))
	stop := context.AfterFunc(s.ctx, func() { _ = conn.SetReadDeadline(time.Unix(1, 0)) })
	name, args, err := readRequest(conn)
	interrupted := !stop()
	handler := s.handlers[name]
	if err != nil || handler == nil {
		_ = conn.Close()
		return
	}
	r := &Request{conn: conn, args: args}
	r.ctx, r.cancel = context.WithCancel(s.ctx)
	if interrupted {
		r.Failed(ErrStopping)
		return
	}
	_ = conn.SetReadDeadline(time.Time{})
	go r.watch()
	handler(r)
}

// ErrStopping is what a request fails with that the gateway does not carry out any more.
var ErrStopping = errors.New("the gateway is stopping")

// Request is one asking. Done and Failed end it. Its methods may be called on nil, for something that nobody waits for.
type Request struct {
	conn   *net.UnixConn
	args   json.RawMessage
	ctx    context.Context
	cancel context.CancelFunc
}

// Context ends when whoever asked has gone, when the server closes and when the request is over.
func (r *Request) Context() context.Context {
	if r == nil {
		return context.Background()
	}
	return r.ctx
}

// Args reads the arguments into v.
func (r *Request) Args(v any) error {
	if len(r.args) == 0 {
		return nil
	}
	return json.Unmarshal(r.args, v)
}

// watch ends the context once the peer has gone. It says nothing more.
func (r *Request) watch() {
	_, _ = r.conn.Read(make([]byte, 1))
	r.cancel()
}

// Progress says how far it is.
func (r *Request) Progress(text string) { _ = r.answer(answer{Progress: text}) }

// Write hands data over to whoever asked.
func (r *Request) Write(b []byte) (int, error) {
	for rest := b; len(rest) > 0; {
		n := min(len(rest), maxData)
		if err := r.answer(answer{Data: rest[:n]}); err != nil {
			return len(b) - len(rest), err
		}
		rest = rest[n:]
	}
	return len(b), nil
}

// Done says how it ended well.
func (r *Request) Done(text string) { r.last(answer{Done: text}) }

// Failed says what went wrong.
func (r *Request) Failed(err error) { r.last(answer{Error: err.Error()}) }

func (r *Request) last(a answer) {
	if r == nil {
		return
	}
	_ = r.answer(a)
	r.cancel()
	_ = r.conn.Close()
}

func (r *Request) answer(a answer) error {
	if r == nil {
		return nil
	}
	_ = r.conn.SetWriteDeadline(time.Now().Add(requestTimeout))
	return json.NewEncoder(r.conn).Encode(a)
}
