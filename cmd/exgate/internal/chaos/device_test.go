package chaos

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"
)

// device is a connection that speaks the line protocol.
type device struct {
	net.Conn
	lines *bufio.Reader
}

var errRefused = errors.New("the gateway refused")

// dial connects to the gateway and reads the greeting.
func dial(address string) (*device, error) {
	c, err := net.DialTimeout("tcp", address, patience)
	if err != nil {
		return nil, err
	}
	d := &device{c, bufio.NewReader(c)}
	if _, err := d.read(); err != nil {
		_ = c.Close()
		return nil, fmt.Errorf("reading the greeting: %w", err)
	}
	return d, nil
}

// login connects a device that the broker has accepted.
func login(address, id string) (*device, error) {
	d, err := dial(address)
	if err != nil {
		return nil, err
	}
	if err := d.ask("login " + id); err != nil {
		_ = d.Close()
		return nil, fmt.Errorf("login %s: %w", id, err)
	}
	return d, nil
}

func (d *device) read() (string, error) {
	_ = d.SetReadDeadline(time.Now().Add(patience))
	line, err := d.lines.ReadString('\n')
	return strings.TrimSuffix(line, "\n"), err
}

func (d *device) write(lines string) error {
	_ = d.SetWriteDeadline(time.Now().Add(patience))
	_, err := d.Write([]byte(lines))
	return err
}

// ask sends a command and requires ok as the answer.
func (d *device) ask(command string) error {
	if err := d.write(command + "\n"); err != nil {
		return err
	}
	return d.confirm()
}

// ping waits until what was sent before is with the broker's connection, and counts the lines that come before the
// answer.
func (d *device) ping() (lines int, err error) {
	if err := d.write("ping\n"); err != nil {
		return 0, err
	}
	for {
		line, err := d.read()
		if err != nil || line == "pong" {
			return lines, err
		}
		lines++
	}
}

// confirm reads ok.
func (d *device) confirm() error {
	line, err := d.read()
	if err == nil && line != "ok" {
		err = fmt.Errorf("%w: %q", errRefused, line)
	}
	return err
}
