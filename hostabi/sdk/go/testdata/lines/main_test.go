package main

import (
	"testing"

	exproto "github.com/exgate/exgate/hostabi/sdk/go"
	"github.com/exgate/exgate/hostabi/sdk/go/exprototest"
)

func TestLines(t *testing.T) {
	g := exprototest.Start(t, exproto.Served(), "")
	d, _ := g.Connect(exproto.ConnInfo{})
	d.Receive("hello\r\nwor")
	d.Receive("ld\n")
	if got := d.Sent(); got != "hello!\nworld!\n" {
		t.Errorf("the device was sent %q", got)
	}
	if got := d.Calls(); got != "" {
		t.Errorf("calls %s", got)
	}
	d.Disconnect("tcp_closed")
}
