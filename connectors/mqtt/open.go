package mqtt

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"
	"time"

	"github.com/eclipse/paho.golang/paho"
)

// lostSessionExpiry is how long the broker keeps the session of a lost connection where Config.SessionExpiry is zero.
const lostSessionExpiry = time.Minute

// open dials and connects.
func (c *Connector) open(ctx context.Context, s *Session, cleanStart bool) (*link, error) {
	select {
	case c.dials <- struct{}{}:
		defer func() { <-c.dials }()
	case <-ctx.Done():
		return nil, fmt.Errorf("waiting to dial the broker %s: %w", c.broker.hostPort, ctx.Err())
	}
	ctx, cancel := context.WithTimeout(ctx, c.cfg.ConnectTimeout)
	defer cancel()
	conn, err := c.dial(ctx)
	if err != nil {
		return nil, fmt.Errorf("dialing the broker (upstream.url): %w", err)
	}
	return c.handshake(ctx, newLink(s, conn), cleanStart)
}

func (c *Connector) dial(ctx context.Context) (net.Conn, error) {
	if c.broker.tls != nil {
		return (&tls.Dialer{Config: c.broker.tls}).DialContext(ctx, "tcp", c.broker.hostPort)
	}
	return (&net.Dialer{}).DialContext(ctx, "tcp", c.broker.hostPort)
}

func (c *Connector) handshake(ctx context.Context, l *link, cleanStart bool) (*link, error) {
	c.mu.Lock()
	c.links[l] = struct{}{}
	c.mu.Unlock()
	ack, err := l.client.Connect(ctx, c.connectPacket(l.session, cleanStart))
	if err == nil {
		l.learn(ack.Properties)
		return l, nil
	}
	c.linkEnded(l)
	switch {
	case ack != nil && ack.ReasonCode >= 0x80:
		return nil, refusal(c.broker.hostPort, ack.ReasonCode)
	case ctx.Err() != nil || errors.Is(err, context.DeadlineExceeded):
		return nil, fmt.Errorf("the broker %s did not answer CONNECT: %w", c.broker.hostPort, err)
	case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE):
		return nil, errOldBroker(c.broker.hostPort)
	}
	return nil, fmt.Errorf("connecting to the broker %s: %w", c.broker.hostPort, err)
}

func (c *Connector) connectPacket(s *Session, cleanStart bool) *paho.Connect {
	expiry := seconds(c.cfg.SessionExpiry)
	if expiry == 0 {
		expiry = seconds(lostSessionExpiry)
	}
	cp := &paho.Connect{
		ClientID:   s.client.ClientID,
		CleanStart: cleanStart,
		KeepAlive:  uint16(min(seconds(c.cfg.KeepAlive), 65535)),
		Properties: &paho.ConnectProperties{
			SessionExpiryInterval: &expiry,
			ReceiveMaximum:        &c.cfg.ReceiveMaximum,
			MaximumPacketSize:     &c.cfg.MaxPacketSize,
			RequestProblemInfo:    true,
		},
	}
	if s.client.Username != "" {
		cp.UsernameFlag, cp.Username = true, s.client.Username
	}
	if password := s.secret(); password != "" {
		cp.PasswordFlag, cp.Password = true, []byte(password)
	}
	return cp
}

// secret is the password, until the session ends.
func (s *Session) secret() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.password
}

// seconds rounds up.
func seconds(d time.Duration) uint32 {
	return uint32(min((d+time.Second-1)/time.Second, 1<<32-1))
}
