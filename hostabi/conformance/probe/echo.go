package probe

import (
	"testing"

	"github.com/exgate/exgate/hostabi"
	"github.com/exgate/exgate/hostabi/guesttest"
)

// RunEcho tests a guest that echoes what a device sends, and closes a connection that does not accept it.
func RunEcho(t *testing.T, module []byte) {
	t.Helper()
	g := guesttest.Load(t, module, guesttest.Config{})
	g.Created(conn, hostabi.ConnInfo{})
	if a := g.Bytes(conn, "hello\x00"); a != hostabi.ActionContinue || g.Sent(conn) != "hello\x00" {
		t.Errorf("action %d", a)
	}
	g.Refuse("send", hostabi.CodeConnProcessNotAlive)
	if a := g.Bytes(conn, "hello"); a != hostabi.ActionClose {
		t.Errorf("a refused send got action %d", a)
	}
}
