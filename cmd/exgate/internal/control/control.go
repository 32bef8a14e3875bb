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
	// to receive the request, and to write one line of the answer
	requestTimeout = 5 * time.Second
	maxRequest     = 4096 // bytes
	maxRequests    = 16   // concurrent
)

// Handler handles a request in its own goroutine. It may pass the request on: the request ends with Done or Failed.
type Handler func(*Request)

// Server accepts requests from its own user and from root. A nil *Server accepts none.
type Server struct {
	listener *net.UnixListener
	owner    int // the only allowed user besides root
	log      *slog.Logger
	handlers map[string]Handler
	ctx      context.Context
	stop     context.CancelFunc
	work     sync.WaitGroup
	slots    chan struct{}
}

// Listen accepts requests for handlers, by name. It returns nil on systems without abstract unix sockets.
func Listen(log *slog.Logger, handlers map[string]Handler) (*Server, error) {
	l, err := listen(os.Getpid())
	if l == nil {
		return nil, err
	}
	s := &Server{
		listener: l, owner: os.Geteuid(), log: log, handlers: handlers,
		slots: make(chan struct{}, maxRequests),
	}
	s.ctx, s.stop = context.WithCancel(context.Background())
	s.work.Go(s.serve)
	return s, nil
}

// Close stops accepting requests, cancels the contexts of those in progress and waits for their handlers. Requests that
// were passed on can still be answered.
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
			s.log.Warn("cannot accept a request at the control socket", "error", err)
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

// accept starts handling the request of an allowed peer.
func (s *Server) accept(conn *net.UnixConn) {
	if _, uid, err := peer(conn); err != nil || uid != 0 && uid != s.owner {
		s.log.Warn("refused a request at the control socket from another user", "uid", uid)
		_ = conn.Close()
		return
	}
	select {
	case s.slots <- struct{}{}:
	default:
		s.log.Warn("refused a request at the control socket: too many in progress", "limit", maxRequests)
		_ = conn.Close()
		return
	}
	s.work.Go(func() {
		defer func() { <-s.slots }()
		s.receive(conn)
	})
}

// receive reads and handles a request. It closes the connection if the request is invalid.
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

// ErrStopping is the error of a request that the gateway drops because it is stopping.
var ErrStopping = errors.New("the gateway is stopping")

// Request is one request. Done and Failed end it. Its methods accept a nil receiver, for work that no client waits for.
type Request struct {
	conn   *net.UnixConn
	args   json.RawMessage
	ctx    context.Context
	cancel context.CancelFunc
}

// Context ends when the client disconnects, the server closes or the request ends.
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

// watch cancels the context when the peer disconnects. The peer sends nothing after its request.
func (r *Request) watch() {
	_, _ = r.conn.Read(make([]byte, 1))
	r.cancel()
}

// Progress reports progress to the client.
func (r *Request) Progress(text string) { _ = r.answer(answer{Progress: text}) }

// Write sends data to the client.
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

// Done ends the request with its outcome.
func (r *Request) Done(text string) { r.last(answer{Done: text}) }

// Failed ends the request with an error.
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
