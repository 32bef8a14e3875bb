package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// lineDevice is a device of the line protocol.
type lineDevice struct {
	net.Conn
	lines *bufio.Reader
}

// newLineDevice connects a device and disconnects it at the end of the test.
func newLineDevice(t testing.TB, network, address string) *lineDevice {
	t.Helper()
	d, err := dialLine(network, address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	return d
}

// dialLine connects over tcp, tls, ws or unix and reads the greeting.
func dialLine(network, address string) (*lineDevice, error) {
	c, err := dialDevice(network, address)
	if err != nil {
		return nil, err
	}
	d := &lineDevice{c, bufio.NewReader(c)}
	_ = c.SetDeadline(time.Now().Add(patience))
	if _, err := d.lines.ReadString('\n'); err != nil {
		_ = c.Close()
		return nil, fmt.Errorf("reading the greeting: %w", err)
	}
	return d, nil
}

func dialDevice(network, address string) (net.Conn, error) {
	d := &net.Dialer{Timeout: patience}
	if network == "tls" {
		return tls.DialWithDialer(d, "tcp", address, &tls.Config{InsecureSkipVerify: true})
	}
	if network == "ws" {
		return dialWebSocket(address)
	}
	return d.Dial(network, address)
}

func dialWebSocket(address string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	c, _, err := websocket.Dial(ctx, "ws://"+address, nil)
	if err != nil {
		return nil, err
	}
	return websocket.NetConn(context.Background(), c, websocket.MessageBinary), nil
}

// ping sends ping and reads pong.
func (d *lineDevice) ping() error { return d.exchange("ping", "pong") }

// say sends a command and reads ok.
func (d *lineDevice) say(command string) error { return d.exchange(command, "ok") }

func (d *lineDevice) exchange(command, want string) error {
	_ = d.SetDeadline(time.Now().Add(patience))
	if _, err := fmt.Fprintln(d, command); err != nil {
		return err
	}
	line, err := d.lines.ReadString('\n')
	if err == nil && line != want+"\n" {
		err = fmt.Errorf("got %q", line)
	}
	return err
}
