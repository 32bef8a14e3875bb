package module

import (
	"errors"
	"fmt"

	"github.com/exgate/exgate/runtime/gateway"
)

// load runs one device after another on one instance, without a socket: it delivers their bytes as events, lets every
// call succeed, and delivers results right after the event. It must be used by one goroutine.
type load struct {
	gateway.NullAdapter
	factory gateway.HandlerFactory
	handler gateway.ConnectionHandler // nil between devices
	posted  []func() error
	results []gateway.Done
	closed  bool
	events  uint64 // bytes events
	devices uint64
}

var _ gateway.ConnectionAdapter = (*load)(nil)

// session delivers the pieces of a device until the module closes it. After the last piece the device disconnects,
// unless it is kept for the next session.
func (l *load) session(pieces Session, stays bool) (n int, err error) {
	if l.handler == nil {
		if err := l.connect(); err != nil {
			return 0, err
		}
	}
	for _, b := range pieces {
		if l.handler == nil {
			return n, nil
		}
		l.events++
		n += len(b)
		if err := l.after(l.handler.OnReceivedBytes(b)); err != nil {
			return n, fmt.Errorf("event %d of %d bytes: %w", l.events, len(b), err)
		}
	}
	if stays {
		return n, nil
	}
	return n, l.disconnect(gateway.ReasonTCPClosed)
}

func (l *load) connect() (err error) {
	if l.handler, err = l.factory.NewHandler(l); err != nil {
		return err
	}
	l.devices++
	return l.after(l.handler.OnSocketCreated(gateway.ConnInfo{Peer: deviceAddress, Local: localAddress}))
}

// after delivers the results of the calls of an event, and the end of a device that the event closed.
func (l *load) after(err error) error {
	for err == nil && !l.closed && len(l.results)+len(l.posted) > 0 {
		results, posted := l.results, l.posted
		l.results, l.posted = nil, nil
		for _, done := range results {
			done(gateway.OK)
		}
		for _, event := range posted {
			err = errors.Join(err, event())
		}
	}
	if err != nil || l.closed {
		return errors.Join(err, l.disconnect(gateway.ReasonNormal))
	}
	return nil
}

func (l *load) disconnect(reason gateway.CloseReason) error {
	if l.handler == nil {
		return nil
	}
	h := l.handler
	l.handler, l.results, l.posted, l.closed = nil, nil, nil, false
	return h.OnSocketClosed(reason)
}

func (l *load) wait(done gateway.Done) gateway.Result {
	if done != nil {
		l.results = append(l.results, done)
	}
	return gateway.OK
}

func (l *load) ID() string { return "bench" }

func (l *load) Close(gateway.CloseReason) gateway.Result {
	l.closed = true
	return gateway.OK
}

func (l *load) Authenticate(_ gateway.ClientInfo, _ string, done gateway.Done) gateway.Result {
	return l.wait(done)
}

func (l *load) Publish(_ string, _ uint32, _ []byte, done gateway.Done) gateway.Result {
	return l.wait(done)
}

func (l *load) PublishWith(_ string, _ uint32, _ []byte, _ *gateway.Properties, done gateway.Done) gateway.Result {
	return l.wait(done)
}

func (l *load) Subscribe(_ string, _ uint32, done gateway.Done) gateway.Result { return l.wait(done) }

func (l *load) Unsubscribe(_ string, done gateway.Done) gateway.Result { return l.wait(done) }

func (l *load) Post(event func() error) bool {
	l.posted = append(l.posted, event)
	return true
}
