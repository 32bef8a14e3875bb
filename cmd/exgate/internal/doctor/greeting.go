package doctor

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"time"
)

// speech is the protocol of a server, judged by its first bytes to an HTTP/2 client.
type speech int

const (
	saysNothing speech = iota // it sent nothing in time, or closed the connection
	saysHTTP2
	saysHTTP1
	saysTLS
	saysOther
)

// hello is the start of an HTTP/2 connection: the client preface and empty settings, RFC 9113, section 3.4.
const hello = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + "\x00\x00\x00\x04\x00\x00\x00\x00\x00"

// goodbye ends the connection: GOAWAY without an error.
const goodbye = "\x00\x00\x08\x07\x00\x00\x00\x00\x00" + "\x00\x00\x00\x00\x00\x00\x00\x00"

// greet sends hello and reads the first bytes of the server. The error is why the connection ended before the server
// sent any.
func greet(conn net.Conn) (speech, error) {
	_ = conn.SetDeadline(time.Now().Add(patience))
	if _, err := io.WriteString(conn, hello); err != nil {
		return saysNothing, err
	}
	answer := make([]byte, 9) // the header of a frame
	n, err := io.ReadAtLeast(conn, answer, len(answer))
	said := recognize(answer[:n])
	if said == saysHTTP2 {
		_, _ = io.WriteString(conn, goodbye)
	}
	if n > 0 {
		err = nil
	}
	return said, err
}

func recognize(answer []byte) speech {
	const settings, goaway = 4, 7
	switch {
	case len(answer) == 0:
		return saysNothing
	case len(answer) == 9 && (answer[3] == settings || answer[3] == goaway) &&
		bytes.Equal(answer[5:], []byte{0, 0, 0, 0}):
		return saysHTTP2
	case bytes.HasPrefix(answer, []byte("HTTP/")):
		return saysHTTP1
	case len(answer) > 1 && answer[0] == 0x15 && answer[1] == 3: // a TLS alert
		return saysTLS
	}
	return saysOther
}

func dial(ctx context.Context, address string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return new(net.Dialer).DialContext(ctx, "tcp", address)
}

// greeted returns what the server at address speaks without TLS, or over TLS if it requires that.
func greeted(ctx context.Context, address string) speech {
	conn, err := dial(ctx, address)
	if err != nil {
		return saysNothing
	}
	said, _ := greet(conn)
	_ = conn.Close()
	if said == saysNothing && takesTLS(ctx, address) {
		return saysTLS
	}
	return said
}

func speaksHTTP2(ctx context.Context, address string) bool { return greeted(ctx, address) == saysHTTP2 }

// takesTLS reports whether the server at address answers a TLS client, if only with an alert.
func takesTLS(ctx context.Context, address string) bool {
	conn, err := dial(ctx, address)
	if err != nil {
		return false
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(patience))
	//nolint:gosec // this only detects TLS
	err = tls.Client(conn, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}}).HandshakeContext(ctx)
	var alert tls.AlertError
	var remote *net.OpError
	return err == nil || errors.As(err, &alert) || errors.As(err, &remote) && remote.Op == "remote error"
}
