package ws_test

import (
	"context"
	"os/exec"
	"testing"

	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/listener/listenertest"
	"github.com/exgate/exgate/runtime/listener/ws"
)

// charger boots like one that speaks OCPP 1.6, with the client of Node.js.
const charger = `
const socket = new WebSocket(process.argv[1], ["ocpp2.0.1", "ocpp1.6"]);
socket.onopen = () => socket.send('[2,"1","BootNotification",{}]');
socket.onmessage = (m) => { console.log(socket.protocol, typeof m.data, m.data); socket.close(3001, "done"); };
socket.onclose = (e) => { console.log(e.code, e.wasClean); };
socket.onerror = (e) => { console.log("error", e.message); };
`

func TestNodeSpeaksOCPP(t *testing.T) {
	node := listenertest.Tool(t, "node", "nodejs")
	s := serve(t, ws.Config{Path: "/ocpp/*", Subprotocols: []string{"ocpp1.6"}},
		func(a gateway.ConnectionAdapter, _ []byte) { a.Send([]byte(`[3,"1",{}]`)) }, gateway.Limits{})
	ctx, cancel := context.WithTimeout(t.Context(), 3*patience)
	defer cancel()
	out, err := exec.CommandContext(ctx, node, "--experimental-websocket", "-e", charger,
		"ws://"+s.addr+"/ocpp/CP1").CombinedOutput()
	if want := "ocpp1.6 string [3,\"1\",{}]\n3001 true\n"; err != nil || string(out) != want {
		t.Errorf("%s%v", out, err)
	}
	s.closed(t, gateway.ReasonTCPClosed)
}
