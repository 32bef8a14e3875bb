package module

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/wasm"
)

// RunOptions configures [Run].
type RunOptions struct {
	Hex    bool     // read and print bytes as hexadecimal digits
	Socket string   // tcp, ssl, udp or dtls
	Refuse []string // calls to refuse: authenticate, publish, subscribe, unsubscribe
	Record string   // write a capture to this file. Optional
	Limit  []string // calls that return LIMIT: those, start_timer or set_timer

	Summary io.Writer // receives the most that the module used. Optional
}

// session is a module run: a gateway with one device that sends the lines of the input.
type session struct {
	gateway *gateway.Gateway
	broker  *broker
	dialer  *dialer
	console *console
	socket  gateway.SocketType
	options RunOptions
	waiting [][]byte // lines waiting while the device is paused

	recording *recording // nil if there is no recording

	conn    *gateway.Conn // nil between connections
	handler *tracedHandler
	failed  error // of the last connection that ended because of the module
}

// Run runs a module by hand. The device sends each line of in, unless it begins with / and is a command; out receives
// what happens. Run returns at the end of in, with an error if a connection ended because of the module.
func Run(ctx context.Context, subject *Subject, in io.Reader, out io.Writer, o RunOptions) (err error) {
	s := &session{console: &console{w: out, hex: o.Hex}, broker: newBroker(o.Refuse), dialer: newDialer(), options: o}
	if s.socket, err = socketType(o.Socket); err != nil {
		return err
	}
	log := slog.New(s.console)
	engine, err := subject.engine(ctx, subject.Config, log, wasm.IsolationConnection)
	if err != nil {
		return withStack(err)
	}
	var factory gateway.HandlerFactory = engine
	if o.Summary != nil {
		defer func() { printPeaks(o.Summary, engine.Peaks()) }()
	}
	if o.Record != "" {
		if s.recording, factory, err = record(engine, subject, o.Record, log); err != nil {
			return errors.Join(err, engine.Close(ctx))
		}
	}
	if err := s.open(factory, log); err != nil {
		return errors.Join(err, factory.Close(ctx))
	}
	return s.run(ctx, in)
}

// run reads all of in and then shuts down.
func (s *session) run(ctx context.Context, in io.Reader) error {
	err := s.read(in)
	s.hangUp()
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	err = errors.Join(err, s.failed, s.gateway.Shutdown(stop))
	if s.recording != nil {
		err = errors.Join(err, s.recording.end())
	}
	return err
}

func socketType(name string) (gateway.SocketType, error) {
	types := map[string]gateway.SocketType{
		"": gateway.SocketTCP, "tcp": gateway.SocketTCP, "ssl": gateway.SocketSSL, "udp": gateway.SocketUDP,
		"dtls": gateway.SocketDTLS,
	}
	t, ok := types[name]
	if !ok {
		return 0, fmt.Errorf("the socket type must be tcp, ssl, udp or dtls, not %q", name)
	}
	return t, nil
}

// open starts the gateway. It has no idle timeout, because people type slowly.
func (s *session) open(factory gateway.HandlerFactory, log *slog.Logger) error {
	s.gateway = gateway.New(gateway.Config{Node: "module-run", Logger: log})
	traced := &tracedFactory{
		HandlerFactory: factory, console: s.console, limited: make(map[string]bool),
		made: func(h *tracedHandler) { s.handler = h },
	}
	for _, call := range s.options.Limit {
		traced.limited[call] = true
	}
	return errors.Join(
		s.gateway.SetHandler("module", traced),
		s.gateway.SetConnector("broker", s.broker),
		s.gateway.AddListener("device", s.dialer, gateway.ListenerConfig{
			Handler: "module", Connector: "broker", Limits: gateway.Limits{IdleTimeout: 24 * time.Hour},
		}),
	)
}

// read executes the lines, each after the previous one is complete.
func (s *session) read(in io.Reader) error {
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		if err := s.line(lines.Text()); err != nil {
			return err
		}
		s.settle()
		s.sendWaiting()
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("reading the device's lines: %w", err)
	}
	if n := len(s.waiting); n > 0 {
		s.console.note("%d lines were not delivered: the module did not resume reading", n)
	}
	return nil
}
