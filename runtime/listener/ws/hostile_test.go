package ws_test

import (
	"crypto/tls"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/gateway/gatewaytest"
	"github.com/exgate/exgate/runtime/listener/listenertest"
	"github.com/exgate/exgate/runtime/listener/ws"
)

func upgradeTLS(t testing.TB, s *server) *raw {
	t.Helper()
	c := connect(t, s.addr)
	secured := tls.Client(c.Conn, s.tls)
	c.Conn = secured
	c.in.Reset(secured)
	c.send(t, upgradeRequest)
	r, err := http.ReadResponse(c.in, nil)
	if err != nil {
		t.Fatal(err)
	}
	_ = r.Body.Close()
	return c
}

func TestRefusedHandshakes(t *testing.T) {
	cfg := ws.Config{Path: "/meters", Subprotocols: []string{"p"}, Origins: []string{"https://app.example"}}
	s := serve(t, cfg, listenertest.Send, gateway.Limits{})
	good := strings.Replace(upgradeRequest, "GET /", "GET /meters", 1)
	good = strings.Replace(good, "\r\n\r\n", "\r\nSec-WebSocket-Protocol: p\r\n\r\n", 1)
	with := func(header string) string { return strings.Replace(good, "\r\n\r\n", "\r\n"+header+"\r\n\r\n", 1) }
	for _, c := range []struct {
		request string
		status  int
		result  string
	}{
		{good, 101, "ok"},
		{with("Origin: https://app.example"), 101, "ok"},
		{with("Origin: http://here"), 101, "ok"},
		{with("Origin: https://evil.example"), 403, "origin"},
		{with("Origin: null"), 403, "origin"},
		{strings.Replace(good, "/meters", "/meters/", 1), 404, "not_found"},
		{strings.Replace(good, "Protocol: p", "Protocol: q", 1), 400, "subprotocol"},
		{strings.Replace(good, "GET", "POST", 1), 405, "not_websocket"},
		{strings.Replace(good, "HTTP/1.1", "HTTP/1.0", 1), 505, "not_websocket"},
		{strings.Replace(good, "Version: 13", "Version: 8", 1), 426, "not_websocket"},
		{strings.Replace(good, "Upgrade: websocket\r\n", "", 1), 426, "not_websocket"},
		{strings.Replace(good, "Host: here\r\n", "", 1), 400, "malformed"},
		{strings.Replace(good, "dGhl", "dGh", 1), 400, "malformed"},
		{with("Content-Length: 1"), 400, "malformed"},
		{with("Transfer-Encoding: chunked"), 400, "malformed"},
		{with("no colon"), 400, "malformed"},
		{"\x16\x03\x01\x02\x00\x01\r\n\r\n", 400, "malformed"},
		{"GET /meters HTTP/1.1\nHost: a\n\nGET / HTTP/1.1\r\n\r\n", 400, "malformed"},
		{with("X: " + long(9000)), 431, "too_large"},
		{with("X: " + long(40000)), 431, "too_large"},
	} {
		before := s.Count(t, "exgate_websocket_handshakes_total", c.result)
		r := connect(t, s.addr)
		go func() { _, _ = r.Write([]byte(c.request)) }()
		response, err := http.ReadResponse(r.in, nil)
		if c.result == "too_large" && err != nil {
			continue // a reset, for what was not read, may overtake the answer
		}
		if err != nil || response.StatusCode != c.status {
			t.Errorf("%.200q: %v, %v", c.request, response, err)
			continue
		}
		_ = response.Body.Close()
		gatewaytest.Eventually(t, "a count of "+c.result, func() bool {
			return s.Count(t, "exgate_websocket_handshakes_total", c.result) == before+1
		})
	}
}

func TestViolations(t *testing.T) {
	const tooLong = 1001
	for name, c := range map[string]struct {
		frames string
		code   int
		reason gateway.CloseReason
	}{
		"not masked":           {"\x82\x01x", 1002, gateway.ReasonProtocolError},
		"reserved bit":         {frame(0xc2, "x"), 1002, gateway.ReasonProtocolError},
		"unknown opcode":       {frame(0x83, "x"), 1002, gateway.ReasonProtocolError},
		"unknown control":      {frame(0x8b, "x"), 1002, gateway.ReasonProtocolError},
		"fragmented ping":      {frame(0x09, "x"), 1002, gateway.ReasonProtocolError},
		"long ping":            {frame(0x89, long(126)), 1002, gateway.ReasonProtocolError},
		"continues nothing":    {frame(0x80, "x"), 1002, gateway.ReasonProtocolError},
		"begins twice":         {frame(0x02, "x") + frame(0x82, "x"), 1002, gateway.ReasonProtocolError},
		"length in 2 bytes":    {"\x82\xfe\x00\x01aaaax", 1002, gateway.ReasonProtocolError},
		"length in 8 bytes":    {"\x82\xff\x00\x00\x00\x00\x00\x00\x00\x01aaaax", 1002, gateway.ReasonProtocolError},
		"length of 2^63":       {"\x82\xff\x80\x00\x00\x00\x00\x00\x00\x00aaaax", 1002, gateway.ReasonProtocolError},
		"close with one byte":  {frame(0x88, "x"), 1002, gateway.ReasonProtocolError},
		"close with 1005":      {frame(0x88, "\x03\xed"), 1002, gateway.ReasonProtocolError},
		"close with 999":       {frame(0x88, "\x03\xe7"), 1002, gateway.ReasonProtocolError},
		"close with bad text":  {frame(0x88, "\x03\xe8\xff"), 1002, gateway.ReasonProtocolError},
		"text is not UTF-8":    {frame(0x81, "\xff"), 1007, gateway.ReasonProtocolError},
		"text in two is not":   {frame(0x01, "\xc3") + frame(0x80, "x"), 1007, gateway.ReasonProtocolError},
		"too long":             {frame(0x82, long(tooLong)), 1009, gateway.ReasonMessageTooLarge},
		"announced as huge":    {"\x82\xff\x7f\xff\xff\xff\xff\xff\xff\xffaaaa", 1009, gateway.ReasonMessageTooLarge},
		"too long in pieces":   {frame(0x02, long(600)) + frame(0x00, long(401)), 1009, gateway.ReasonMessageTooLarge},
		"the device closes":    {frame(0x88, "\x0b\xb8bye"), 3000, gateway.ReasonTCPClosed},
		"and sends after that": {frame(0x88, "\x03\xe8") + frame(0x82, "x"), 1000, gateway.ReasonTCPClosed},
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, ws.Config{MaxMessageBytes: tooLong - 1},
				func(gateway.ConnectionAdapter, []byte) { t.Error("an event") }, gateway.Limits{})
			r := upgrade(t, s.addr, c.frames)
			r.ends(t, c.code)
			_ = r.Close()
			s.closed(t, c.reason)
		})
	}
}

// A close frame without a code is answered by one without a code.
func TestCloseWithoutCode(t *testing.T) {
	s := serve(t, ws.Config{}, listenertest.Send, gateway.Limits{})
	c := upgrade(t, s.addr, frame(0x88, ""))
	if first, payload := c.read(t); first != 0x88 || payload != "" {
		t.Errorf("frame %x %q", first, payload)
	}
}

// Requests that come too slowly, or never end, do not stay.
func TestSlowRequest(t *testing.T) {
	s := serve(t, ws.Config{RequestTimeout: 200 * time.Millisecond}, listenertest.Send, gateway.Limits{})
	c := connect(t, s.addr)
	trickled := make(chan struct{})
	go func() {
		defer close(trickled)
		for i := range upgradeRequest {
			if _, err := c.Write([]byte(upgradeRequest[i : i+1])); err != nil {
				return
			}
			time.Sleep(20 * time.Millisecond) // the hostile client's pace
		}
	}()
	if _, err := c.in.ReadByte(); err == nil {
		t.Error("answered")
	}
	_ = c.Close()
	<-trickled
	gatewaytest.Eventually(t, "a timeout", func() bool {
		return s.Count(t, "exgate_websocket_handshakes_total", "timeout") == 1
	})
}

// Connections whose request is missing are bounded: the oldest make room, and a device gets in.
func TestSilentConnectionsMakeRoom(t *testing.T) {
	cfg := ws.Config{}
	cfg.MaxHandshakes = 4
	s := secure(t, cfg, listenertest.Send)
	const silent = 10
	for i := range silent {
		c := tls.Client(connect(t, s.addr), s.tls)
		if err := c.Handshake(); err != nil {
			t.Fatal(err)
		}
		gatewaytest.Eventually(t, "the server's end of the handshake", func() bool { // until then it is not evicted
			return s.Count(t, "exgate_tls_handshakes_total", "ok") == float64(i+1)
		})
	}
	echoes(t, s.dial(t, "/", nil), websocket.MessageText, "hello")
	gatewaytest.Eventually(t, "evictions", func() bool {
		return s.Count(t, "exgate_websocket_handshakes_total", "evicted") >= silent-1
	})
}

// A flood of control frames is read as slowly as its rate allows, and costs nothing while its answers are not read.
func TestFloodOfPings(t *testing.T) {
	s := serve(t, ws.Config{}, listenertest.Send, gateway.Limits{SendTimeout: time.Hour})
	flood := upgrade(t, s.addr, "")
	_ = flood.SetDeadline(time.Now().Add(time.Hour))
	pings := []byte(strings.Repeat(frame(0x89, long(125)), 1000))
	flooded := make(chan struct{})
	go func() {
		defer close(flooded)
		for {
			if _, err := flood.Write(pings); err != nil {
				return
			}
		}
	}()
	gatewaytest.Eventually(t, "unanswered pings", func() bool {
		return s.Count(t, "exgate_websocket_control_frames_total", "ping_unanswered") > 1000
	})
	upgrade(t, s.addr, frame(0x82, "x")).read(t) // others are served
	_ = flood.Close()
	<-flooded
}

// Each frame counts against the rate of messages, whether or not it ends a message.
func TestFramesCountAgainstTheRate(t *testing.T) {
	for name, f := range map[string]string{"pings": frame(0x8a, ""), "empty fragments": frame(0x00, "")} {
		t.Run(name, func(t *testing.T) {
			events := make(chan time.Time, 10)
			s := serve(t, ws.Config{}, func(gateway.ConnectionAdapter, []byte) { events <- time.Now() },
				gateway.Limits{MessagesPerSecond: 100, MessagesBurst: 1})
			begin, end := "", frame(0x82, "x")
			if name != "pings" {
				begin, end = frame(0x02, ""), frame(0x80, "x")
			}
			started := time.Now()
			upgrade(t, s.addr, begin+strings.Repeat(f, 20)+end)
			if took := (<-events).Sub(started); took < 150*time.Millisecond { // 20 frames at 100 a second
				t.Errorf("read %s in %s", name, took)
			}
		})
	}
}

// The answer to a device that does not read is bounded like that of any other.
func TestDeviceThatDoesNotRead(t *testing.T) {
	s := serve(t, ws.Config{MaxMessageBytes: 1 << 20}, listenertest.Send, gateway.Limits{SendQueueBytes: 1 << 20})
	c := upgrade(t, s.addr, "")
	message := frame(0x82, long(1<<20))
	for {
		if _, err := c.Write([]byte(message)); err != nil {
			break
		}
	}
	s.closed(t, gateway.ReasonSendQueueFull)
}

func TestConfigIsChecked(t *testing.T) {
	for _, c := range []struct {
		cfg  ws.Config
		says string
	}{
		{ws.Config{Path: "a"}, "must begin with /"},
		{ws.Config{Path: "/a*"}, "final /*"},
		{ws.Config{Path: "/*/b"}, "final /*"},
		{ws.Config{Subprotocols: []string{"a b"}}, "subprotocol"},
		{ws.Config{Headers: []string{"a:"}}, "not a valid header name"},
		{ws.Config{Headers: []string{"authorization"}}, "secret"},
		{ws.Config{Send: "json"}, "send"},
		{ws.Config{PingInterval: -1}, "negative"},
	} {
		if err := c.cfg.Check(); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%+v: %v", c.cfg, err)
		}
	}
	if err := (ws.Config{Path: "/ocpp/*", Subprotocols: []string{"ocpp1.6"}}).Check(); err != nil {
		t.Error(err)
	}
}
