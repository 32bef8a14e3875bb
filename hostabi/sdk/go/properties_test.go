package exproto_test

import (
	"testing"

	exproto "github.com/exgate/exgate/hostabi/sdk/go"
	"github.com/exgate/exgate/hostabi/sdk/go/exprototest"
)

// clerk answers the last request when its device says so.
type clerk struct {
	teller
	request exproto.Request
	known   bool
}

func (c *clerk) OnSocketCreated(info exproto.ConnInfo) exproto.Action {
	c.conn.Send([]byte(info.Property("path") + info.Property("none")))
	return exproto.Continue
}

func (c *clerk) OnReceivedMessages(messages []exproto.Message) exproto.Action {
	for _, m := range messages {
		c.request, c.known = exproto.RequestOf(m)
	}
	return exproto.Continue
}

func (c *clerk) OnReceivedBytes(b []byte) exproto.Action {
	if c.known {
		c.conn.Answer(c.request, 1, b, func(exproto.Result) { c.conn.Send([]byte("answered")) })
	}
	return exproto.Continue
}

// A request outlives its event, and its answer has its correlation data.
func TestRequests(t *testing.T) {
	g := exprototest.Start(t, func([]byte) (exproto.NewHandler, error) {
		return func(c *exproto.Conn) exproto.Handler {
			return &clerk{teller: teller{conn: c, lines: new([]string)}}
		}, nil
	}, "")
	d, _ := g.Connect(exproto.ConnInfo{Properties: []exproto.Property{{Name: "path", Value: "/ws"}}})
	if got := d.Sent(); got != "/ws" {
		t.Errorf("the property is %q", got)
	}
	d.Receive("too early")
	d.Deliver(exproto.Message{Topic: "t", Properties: &exproto.Properties{Correlation: []byte("c")}})
	d.Receive("no request")
	if got := d.Calls(); got != "" {
		t.Errorf("called %s", got)
	}
	d.Deliver(exproto.Message{Topic: "t", Properties: &exproto.Properties{
		ResponseTopic: "r/1", Correlation: []byte{0, 1}, User: []exproto.Property{{Name: "a", Value: "b"}},
	}})
	d.Receive("done")
	if got := d.Calls(); got != `publish_with "r/1" qos=1 "done" correlation="\x00\x01"` {
		t.Errorf("called %s", got)
	}
	d.Answer(exproto.Success, "")
	if got := d.Sent(); got != "answered" {
		t.Errorf("sent %q", got)
	}
}
