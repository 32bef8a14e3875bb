package remote_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/mem"

	handlerv1 "github.com/exgate/exgate/proto/exgate/handler/v1"
	"github.com/exgate/exgate/runtime/remote"
)

// attacker is a handler of sessions that echoes, and does something else when it first receives "attack".
type attacker struct {
	handlerv1.UnimplementedSessionHandlerServer
	attack   func(stream sessionServer, conn uint64) error
	attacked atomic.Bool
}

func (a *attacker) Session(stream sessionServer) error {
	if _, err := stream.Recv(); err != nil {
		return err
	}
	if err := stream.Send(&handlerv1.HandlerFrame{Hello: &handlerv1.HandlerHello{Version: 1}}); err != nil {
		return err
	}
	for {
		frame, err := stream.Recv()
		if err != nil {
			return err
		}
		answer := &handlerv1.HandlerFrame{Pong: frame.GetPing()}
		for _, e := range frame.GetEvents() {
			if string(e.GetBytes()) == "attack" && !a.attacked.Swap(true) {
				if err := a.attack(stream, e.GetConn()); err != nil {
					return err
				}
			}
			c := &handlerv1.Command{Conn: e.GetConn(), Ack: e.GetSeq()}
			if b := e.GetBytes(); len(b) > 0 {
				c.Command = &handlerv1.Command_Send{Send: b}
			}
			answer.Commands = append(answer.Commands, c)
		}
		if err := stream.Send(answer); err != nil {
			return err
		}
	}
}

// serveAttacker serves attack to two held devices.
func serveAttacker(t *testing.T, attack func(sessionServer, uint64) error) (d *devices, one, other net.Conn) {
	t.Helper()
	d = serveAttackerOf(t, remote.ClientConfig{OnFailure: remote.OnFailureHold}, attack)
	one, other = d.connect(t), d.connect(t)
	expectEcho(t, one, "a")
	expectEcho(t, other, "b")
	return d, one, other
}

func serveAttackerOf(t *testing.T, cfg remote.ClientConfig, attack func(sessionServer, uint64) error) *devices {
	t.Helper()
	a, _ := serveAdapter(t, remote.AdapterConfig{})
	address, _ := serveOn(t, "",
		func(s *grpc.Server) { handlerv1.RegisterSessionHandlerServer(s, &attacker{attack: attack}) },
		grpc.ForceServerCodecV2(rawCodec{encoding.GetCodecV2("proto")}))
	cfg.Name, cfg.Addresses, cfg.Dialect = "demo", []string{address}, remote.DialectSession
	return serveDevices(t, cfg, a)
}

func expectEcho(t *testing.T, c net.Conn, s string) {
	t.Helper()
	_, err := c.Write([]byte(s))
	must(t, err)
	must(t, c.SetReadDeadline(time.Now().Add(90*time.Second)))
	got := make([]byte, len(s))
	_, err = io.ReadFull(c, got)
	must(t, err)
	expect(t, "echo", string(got), s)
}

// frames is an attack that sends frames.
func frames(frames ...*handlerv1.HandlerFrame) func(sessionServer, uint64) error {
	return func(stream sessionServer, _ uint64) error {
		for _, f := range frames {
			if err := stream.Send(f); err != nil {
				return err
			}
		}
		return nil
	}
}

// rawCodec sends raw.
type rawCodec struct{ encoding.CodecV2 }

func (c rawCodec) Marshal(v any) (mem.BufferSlice, error) {
	if m, ok := v.(*handlerv1.HandlerFrame); ok && len(m.ProtoReflect().GetUnknown()) > 0 {
		return mem.BufferSlice{mem.SliceBuffer(m.ProtoReflect().GetUnknown())}, nil
	}
	return c.CodecV2.Marshal(v)
}

func bytesAsFrame(b []byte) *handlerv1.HandlerFrame {
	f := new(handlerv1.HandlerFrame)
	f.ProtoReflect().SetUnknown(b)
	return f
}

func TestSessionsHostileHandlers(t *testing.T) {
	publish := &handlerv1.Command_Publish{Publish: &handlerv1.Publish{Topic: "t"}}
	for _, test := range []struct {
		name    string
		attack  func(sessionServer, uint64) error
		dropped float64
	}{
		{"unknown connections", frames(&handlerv1.HandlerFrame{Commands: []*handlerv1.Command{
			{Conn: 0, Command: publish, Token: 1}, {Conn: 77, Command: publish, Token: 1}, {Conn: 1 << 63, Ack: 5},
		}}), 3},
		{"acknowledgements from the future", func(stream sessionServer, conn uint64) error {
			return stream.Send(&handlerv1.HandlerFrame{
				Commands: []*handlerv1.Command{{Conn: conn, Ack: 1 << 62}, {Conn: conn, Ack: 1000}},
			})
		}, 2},
		{"acknowledgements of the past", func(stream sessionServer, conn uint64) error {
			return stream.Send(&handlerv1.HandlerFrame{
				Commands: []*handlerv1.Command{{Conn: conn, Ack: 1}, {Conn: conn, Ack: 1}},
			})
		}, 0},
		{"hellos and pongs", frames(
			&handlerv1.HandlerFrame{Hello: &handlerv1.HandlerHello{Version: 9, WindowEvents: 1 << 31}},
			&handlerv1.HandlerFrame{Pong: 99}, &handlerv1.HandlerFrame{},
		), 0},
		{"orders without a body", func(stream sessionServer, conn uint64) error {
			return stream.Send(&handlerv1.HandlerFrame{Commands: []*handlerv1.Command{
				{Conn: conn, Token: 1, Command: &handlerv1.Command_Authenticate{}},
				{Conn: conn, Command: &handlerv1.Command_StartTimer{}},
				{Conn: conn, Token: 1, Command: &handlerv1.Command_Publish{}},
				{Conn: conn, Token: 1, Command: &handlerv1.Command_RawPublish{}},
			}})
		}, 0},
		{"another's connection number in a result", func(stream sessionServer, conn uint64) error {
			return stream.Send(&handlerv1.HandlerFrame{
				Commands: []*handlerv1.Command{{Conn: conn, Token: 1}, {Conn: conn, Token: 1}},
			})
		}, 0},
		{"a frame that is none", frames(bytesAsFrame([]byte{0x12, 0x05, 1})), 0},
		{"a command that is none", frames(bytesAsFrame([]byte{0x12, 0x01, 0x08})), 0},
		{"its end", func(sessionServer, uint64) error { return errors.New("enough") }, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			d, one, other := serveAttacker(t, test.attack)
			expectEcho(t, one, "attack")
			expectEcho(t, other, "hello")
			expectEcho(t, one, "again")
			if n := d.metric(t, "exgate_session_dropped_total"); n != test.dropped {
				t.Errorf("%v were dropped, want %v", n, test.dropped)
			}
		})
	}
}

// A frame of empty commands has 2 bytes for each. Their cost stays near that.
func TestSessionsFloodOfEmptyCommands(t *testing.T) {
	flood := bytesAsFrame(bytes.Repeat([]byte{0x12, 0x00}, 1<<18))
	d, one, other := serveAttacker(t, func(stream sessionServer, _ uint64) error {
		for range 4 {
			if err := stream.Send(flood); err != nil {
				return err
			}
		}
		return nil
	})
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	expectEcho(t, one, "attack")
	runtime.ReadMemStats(&after)
	expectEcho(t, other, "hello")
	if n := d.metric(t, "exgate_session_dropped_total"); n != 4<<18 {
		t.Errorf("%v were dropped", n)
	}
	if grown := after.TotalAlloc - before.TotalAlloc; grown > 32<<20 {
		t.Errorf("%d MiB for 2 MiB of commands", grown>>20)
	}
}

// A handler that asks for results without reading them is not read either.
func TestSessionsHandlerThatReadsNoResults(t *testing.T) {
	const commands = 200_000
	command := make([]*handlerv1.Command, 1000)
	sent := make(chan struct{})
	_, one, other := serveAttacker(t, func(stream sessionServer, conn uint64) error {
		for i := range command {
			command[i] = &handlerv1.Command{
				Conn: conn, Token: uint64(i + 1),
				Command: &handlerv1.Command_Subscribe{Subscribe: &handlerv1.Subscribe{}},
			}
		}
		go func() {
			defer close(sent)
			for range commands / len(command) {
				if stream.Send(&handlerv1.HandlerFrame{Commands: command}) != nil {
					return
				}
			}
		}()
		<-stream.Context().Done() // for as long as the gateway accepts it
		return stream.Context().Err()
	})
	tell(t, []net.Conn{one}, "attack")
	<-sent
	expectEcho(t, other, "hello") // of the next stream
	expectOpen(t, []net.Conn{other})
}

// A handler that does not read for a while loses the devices that wait for it, including those that it does not know
// yet, and no others.
func TestSessionsHandlerThatReadsLate(t *testing.T) {
	stuck, read := make(chan struct{}), make(chan struct{})
	d := serveAttackerOf(t, remote.ClientConfig{CallTimeout: time.Second}, func(sessionServer, uint64) error {
		close(stuck)
		<-read
		return nil
	})
	many := make([]net.Conn, 20)
	for i := range many {
		many[i] = d.connect(t)
		expectEcho(t, many[i], "a")
	}
	tell(t, many[:1], "attack")
	<-stuck
	tell(t, many, strings.Repeat("x", 60<<10)) // more than the stream takes
	unheard := d.connect(t)
	must(t, unheard.SetReadDeadline(time.Now().Add(90*time.Second)))
	_, err := unheard.Read(make([]byte, 1))
	if !errors.Is(err, io.EOF) {
		t.Errorf("the device that the handler never heard of: %v", err)
	}
	close(read)
	expectEcho(t, d.connect(t), "hello")
}
