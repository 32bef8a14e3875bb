package main

import (
	"testing"

	exproto "github.com/exgate/exgate/hostabi/sdk/go"
	"github.com/exgate/exgate/hostabi/sdk/go/exprototest"
)

func expect(t *testing.T, what, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("%s:\n%s\nwant\n%s", what, got, want)
	}
}

func TestConversation(t *testing.T) {
	g := exprototest.Start(t, exproto.Served(), "")
	d, _ := g.Connect(exproto.ConnInfo{})
	a := d.Receive(`{"type":1,"clientinfo":{"proto_name":"p","proto_ver":"1","clientid":"c","username":"u",` +
		`"mountpoint":"m/","keepalive":60},"password":"secret"}` +
		`{"type":5,"topic":"t","qos":1}{"type":3,"topic":"t","qos":1,"payload":"x"}`)
	if a != exproto.Pause {
		t.Errorf("action %d while the login is under way", a)
	}
	expect(t, "calls", d.Calls(),
		`authenticate proto="p"/"1" clientid="c" username="u" mountpoint="m/" password="secret"`)
	d.Answer(exproto.Success, "")
	expect(t, "calls", d.Calls(), "start_timer type=0 seconds=60\nsubscribe \"t\" qos=1")
	d.Answer(exproto.Success, "")
	d.Answer(exproto.PermissionDeny, "")
	expect(t, "calls", d.Calls(), "publish \"t\" qos=1 \"x\"\nresume")
	expect(t, "sent", d.Sent(), `{"type":2,"code":0}{"type":6,"code":0}{"type":4,"code":1}`)

	d.Deliver(exproto.Message{Topic: "t", QoS: 1, Payload: []byte("x")})
	expect(t, "sent", d.Sent(), `{"type":3,"topic":"t","qos":1,"payload":"x"}`)
	d.Receive(`{"type":7,"topic":"t"}`)
	d.Answer(exproto.Success, "")
	d.Receive(`{"type":10,"topic":"t"}`)
	expect(t, "sent", d.Sent(), `{"type":8,"code":0}{"type":4,"code":1}`)
	d.Receive(`{"type":9}`)
	expect(t, "calls", d.Calls(), "unsubscribe \"t\"\nresume\nclose \"\"")
	d.Disconnect("normal")
}

func TestRefusals(t *testing.T) {
	g := exprototest.Start(t, exproto.Served(), "")
	d, _ := g.Connect(exproto.ConnInfo{})
	g.Refuse("publish", exproto.PermissionDeny)
	g.Refuse("subscribe", exproto.Limit)
	g.Refuse("unsubscribe", exproto.ParamsTypeError)
	if a := d.Receive(`{"type":3}{"type":5}{"type":7}`); a != exproto.Continue {
		t.Errorf("action %d with nothing under way", a)
	}
	expect(t, "sent", d.Sent(), `{"type":4,"code":1}{"type":6,"code":1}{"type":8,"code":1}`)
	g.Refuse("authenticate", exproto.RequiredParamsMiss)
	d.Receive(`{"type":1}`)
	expect(t, "sent", d.Sent(), `{"type":2,"code":1}`)
}

func TestTimeout(t *testing.T) {
	g := exprototest.Start(t, exproto.Served(), "")
	d, _ := g.Connect(exproto.ConnInfo{})
	d.Timeout()
	expect(t, "sent", d.Sent(), `{"type":9}`)
	expect(t, "calls", d.Calls(), `close ""`)
}
