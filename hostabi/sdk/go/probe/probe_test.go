package main

import (
	_ "embed"
	"testing"

	"github.com/exgate/exgate/hostabi/conformance/probe"
	"github.com/exgate/exgate/hostabi/guesttest"
	exproto "github.com/exgate/exgate/hostabi/sdk/go"
	"github.com/exgate/exgate/hostabi/sdk/go/exprototest"
)

//go:embed probe.wasm
var module []byte

func TestModule(t *testing.T) { probe.Run(t, module, guesttest.Config{MemoryPages: 1024}) }

func TestNatively(t *testing.T) {
	g := exprototest.Start(t, exproto.Served(), "")
	d, _ := g.Connect(exproto.ConnInfo{})
	if got := d.Sent(); got != "created type=0 peer=:0 local=:0 cn= dn=\n" {
		t.Errorf("the device was sent %q", got)
	}
	if a := d.Receive("frame escape 7e 7e 7d 8 xor 20\n~a}^~~lines~auth me\n"); a != exproto.Pause {
		t.Errorf("action %d while the login is under way", a)
	}
	d.Answer(exproto.Success, "")
	if got := d.Sent(); got != "ok\nframe 617e\nok\nresult 1 0\n" {
		t.Errorf("the device was sent %q", got)
	}
	if got := d.Calls(); got != `authenticate proto="probe"/"1" clientid="me" username="" mountpoint="" password=""`+
		"\nresume" {
		t.Errorf("the probe called %s", got)
	}
	d.Disconnect("normal")
	if got := g.Log(); got != "0 closed normal" {
		t.Errorf("the log has %q", got)
	}
}
