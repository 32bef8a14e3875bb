package upgrade

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"time"
)

const (
	command        = "upgrade\n"
	commandTimeout = 5 * time.Second // for whoever connects to say it, and for one line of the answer to be taken
)

// answer is one line of what a request is answered with. The last one has Done or Error.
type answer struct {
	Progress string `json:"progress,omitempty"`
	Done     string `json:"done,omitempty"`
	Error    string `json:"error,omitempty"`
}

// Control is where a running gateway can be asked to upgrade itself by its own user and by root. A nil *Control is never asked.
type Control struct {
	listener *net.UnixListener
	owner    int // the user who may ask, beside root
	log      *slog.Logger
	requests chan *Request
	closing  chan struct{}
	served   chan struct{}
}

// Request is one asking. Its methods may be called on nil, for an upgrade that nobody waits for.
type Request struct{ conn net.Conn }

// ListenControl makes the place to ask at. On systems without abstract unix sockets there is none, and nil is returned.
func ListenControl(log *slog.Logger) (*Control, error) {
	l, err := listenControl(os.Getpid())
	if l == nil {
		return nil, err
	}
	c := &Control{
		listener: l, owner: os.Geteuid(), log: log,
		requests: make(chan *Request), closing: make(chan struct{}), served: make(chan struct{}),
	}
	go c.serve()
	return c, nil
}

// Requests has one value for each asking. Whoever takes one answers it with Done or Failed.
func (c *Control) Requests() <-chan *Request {
	if c == nil {
		return nil
	}
	return c.requests
}

// Close ends the control. Requests that were taken can still be answered.
func (c *Control) Close() {
	if c == nil {
		return
	}
	close(c.closing)
	_ = c.listener.Close()
	<-c.served
}

func (c *Control) serve() {
	defer close(c.served)
	for {
		conn, err := c.listener.AcceptUnix()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			c.log.Warn("a request to upgrade could not be accepted", "error", err)
			c.pause()
			continue
		}
		c.receive(conn)
	}
}

func (c *Control) pause() {
	select {
	case <-c.closing:
	case <-time.After(time.Second):
	}
}

// receive reads the request of a peer that may make one, and hands it over.
func (c *Control) receive(conn *net.UnixConn) {
	if _, uid, err := peer(conn); err != nil || uid != 0 && uid != c.owner {
		c.log.Warn("a request to upgrade was refused: it came from another user", "uid", uid)
		_ = conn.Close()
		return
	}
	_ = conn.SetReadDeadline(time.Now().Add(commandTimeout))
	stop := make(chan struct{})
	defer close(stop)
	go func() {
		select {
		case <-c.closing:
			_ = conn.SetReadDeadline(time.Unix(1, 0))
		case <-stop:
		}
	}()
	b := make([]byte, len(command))
	if _, err := io.ReadFull(conn, b); err != nil || string(b) != command {
		_ = conn.Close()
		return
	}
	request := &Request{conn}
	select {
	case c.requests <- request:
	case <-c.closing:
		request.Failed(errors.New("the gateway is stopping"))
	}
}

// Progress says how far it is.
func (r *Request) Progress(text string) { r.answer(answer{Progress: text}) }

// Done says how it ended well. The request is over.
func (r *Request) Done(text string) { r.last(answer{Done: text}) }

// Failed says what went wrong. The request is over.
func (r *Request) Failed(err error) { r.last(answer{Error: err.Error()}) }

func (r *Request) last(a answer) {
	if r == nil {
		return
	}
	r.answer(a)
	_ = r.conn.Close()
}

func (r *Request) answer(a answer) {
	if r == nil {
		return
	}
	_ = r.conn.SetWriteDeadline(time.Now().Add(commandTimeout))
	_ = json.NewEncoder(r.conn).Encode(a)
}

// readAnswers passes progress on and returns the last answer.
func readAnswers(conn net.Conn, progress func(string)) (string, error) {
	lines := bufio.NewScanner(conn)
	lines.Buffer(nil, 2*maxReport)
	for lines.Scan() {
		var a answer
		switch err := json.Unmarshal(lines.Bytes(), &a); {
		case err != nil:
			return "", err
		case a.Error != "":
			return "", errors.New(a.Error)
		case a.Done != "":
			return a.Done, nil
		}
		progress(a.Progress)
	}
	return "", errors.Join(lines.Err(), errors.New("it ended without saying how the upgrade went: its log says more"))
}
