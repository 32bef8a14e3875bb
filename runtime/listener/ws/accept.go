package ws

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/exgate/exgate/runtime/listener"
)

// server makes WebSockets of the connections of one listener.
type server struct {
	cfg        Config
	handshakes *prometheus.CounterVec // by result
	control    *prometheus.CounterVec // by kind
}

func newServer(cfg Config) *server {
	if cfg.Metrics == nil {
		cfg.Metrics = NewMetrics(nil)
	}
	if cfg.MaxMessageBytes == 0 {
		cfg.MaxMessageBytes = defaultMaxMessage
	}
	label := prometheus.Labels{"listener": cfg.Name}
	return &server{
		cfg: cfg, handshakes: cfg.Metrics.handshakes.MustCurryWith(label),
		control: cfg.Metrics.control.MustCurryWith(label),
	}
}

// maxRequest bounds the request of a handshake, in bytes. Those of browsers, with their cookies, have 500 to 4,000.
const maxRequest = 8 << 10

// accept reads the request and answers it.
func (s *server) accept(o *listener.Opening) (listener.Upgraded, []byte, error) {
	head, rest, err := readHead(o)
	var r *request
	if err == nil {
		r, err = s.parse(head)
	}
	var refused *refusal
	switch {
	case errors.As(err, &refused):
		_, _ = io.WriteString(o, refused.response())
		return nil, nil, &listener.UpgradeError{Result: refused.result, Err: err}
	case err != nil:
		return nil, nil, err
	}
	if _, err := io.WriteString(o, r.response()); err != nil {
		return nil, nil, fmt.Errorf("answering the request: %w", err)
	}
	return newConn(o.Socket, s, r.properties), rest, nil
}

// headEnd ends the head of a request.
var headEnd = []byte("\r\n\r\n")

// readHead returns the head of the request, and the bytes after it.
func readHead(o *listener.Opening) (head, rest []byte, err error) {
	end := -1
	for end < 0 {
		err := o.Read(func(b []byte) {
			from := max(0, len(head)-len(headEnd)+1)
			head = append(head, b...)
			if end = bytes.Index(head[from:], headEnd); end >= 0 {
				end += from + len(headEnd)
			}
		})
		if err != nil {
			return nil, nil, err
		}
		if max(end, 0) > maxRequest || end < 0 && len(head) >= maxRequest {
			return nil, nil, refuse("too_large", http.StatusRequestHeaderFieldsTooLarge, "the request is too large")
		}
	}
	return head[:end], head[end:], nil
}

func (r *refusal) response() string {
	more := ""
	if r.status == http.StatusUpgradeRequired {
		more = "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
	}
	return fmt.Sprintf("HTTP/1.1 %d %s\r\nConnection: close\r\n%sContent-Type: text/plain; charset=utf-8\r\n"+
		"Content-Length: %d\r\n\r\n%s\n", r.status, http.StatusText(r.status), more, len(r.text)+1, r.text)
}

func (r *request) response() string {
	protocol := ""
	if r.subprotocol != "" {
		protocol = "Sec-WebSocket-Protocol: " + r.subprotocol + "\r\n"
	}
	return "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " +
		r.accept + "\r\n" + protocol + "\r\n"
}
