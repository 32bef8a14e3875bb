package chaos

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/exgate/exgate/runtime/gateway/gatewaytest"
)

const (
	window     = 4                     // messages that a publisher sends before the first is acknowledged
	retryPause = 20 * time.Millisecond // before a publisher connects again
)

// publisher is a device that numbers its messages from 0 and, over as many connections as it takes, has each of them
// acknowledged.
type publisher struct {
	fleet *fleet
	topic string
	id    string
	conn  *device // nil while there is no connection
	sent  int     // over this connection and all before it
	acked int
}

// fleet is all publishers of a test.
type fleet struct {
	t          *testing.T
	address    string
	size       size
	publishers []*publisher

	acked      atomic.Int64 // messages
	reconnects atomic.Int64 // of devices
	unacked    atomic.Int64 // messages that were sent and not acknowledged when a device connected again
}

func newFleet(t *testing.T, address string, s size) *fleet {
	f := &fleet{t: t, address: address, size: s}
	for i := range s.devices {
		f.publishers = append(f.publishers, &publisher{fleet: f, id: "d" + strconv.Itoa(i), topic: topicOf(i)})
	}
	t.Cleanup(f.leave)
	return f
}

func (f *fleet) total() int { return f.size.devices * f.size.messages }

// advance has every publisher go on until upto of its messages are acknowledged, while meanwhile runs.
func (f *fleet) advance(upto int, meanwhile func()) {
	f.t.Helper()
	var group sync.WaitGroup
	for _, p := range f.publishers {
		group.Go(func() {
			if err := p.advance(upto); err != nil {
				f.t.Errorf("device %s, at message %d: %v", p.id, p.acked, err)
			}
		})
	}
	defer group.Wait()
	meanwhile()
}

// awaitShare waits until so much of all messages is acknowledged.
func (f *fleet) awaitShare(share float64) {
	f.t.Helper()
	want := int64(share * float64(f.total()))
	gatewaytest.Eventually(f.t, fmt.Sprintf("%d acknowledged messages", want),
		func() bool { return f.acked.Load() >= want || f.t.Failed() })
}

func (f *fleet) leave() {
	for _, p := range f.publishers {
		p.hangUp()
	}
}

func (p *publisher) advance(upto int) error {
	for deadline := time.Now().Add(2 * patience); p.acked < upto; {
		err := p.work(upto)
		if err == nil {
			continue
		}
		if p.conn != nil && errors.Is(err, errRefused) || time.Now().After(deadline) {
			return err
		}
		p.hangUp()
		time.Sleep(retryPause)
	}
	return nil
}

// work takes the next step: a login, messages, an answer.
func (p *publisher) work(upto int) (err error) {
	if p.conn == nil {
		if p.conn, err = login(p.fleet.address, p.id); err != nil {
			return err
		}
	}
	if err := p.publish(min(upto, p.acked+window)); err != nil {
		return err
	}
	if err := p.conn.confirm(); err != nil {
		return err
	}
	p.acked++
	p.fleet.acked.Add(1)
	return nil
}

// publish sends what is before end and was not sent over this connection.
func (p *publisher) publish(end int) error {
	var lines strings.Builder
	for ; p.sent < end; p.sent++ {
		fmt.Fprintf(&lines, "pub1 %s %d\n", p.topic, p.sent)
	}
	if lines.Len() == 0 {
		return nil
	}
	return p.conn.write(lines.String())
}

// hangUp ends the connection; what is not acknowledged will be sent again.
func (p *publisher) hangUp() {
	if p.conn == nil {
		return
	}
	_ = p.conn.Close()
	p.conn = nil
	p.fleet.reconnects.Add(1)
	p.fleet.unacked.Add(int64(p.sent - p.acked))
	p.sent = p.acked
}
