package session

import (
	"testing"

	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	handlerv1 "github.com/exgate/exgate/proto/exgate/handler/v1"
	"github.com/exgate/exgate/proto/exproto"
)

// every is a frame with each kind of command.
func every() *handlerv1.HandlerFrame {
	frame := &handlerv1.HandlerFrame{Pong: 7, Commands: []*handlerv1.Command{
		{},
		{Conn: 1, Ack: 1 << 40},
		{Conn: 1, Ack: 2, Token: 3, Command: &handlerv1.Command_Send{Send: []byte("hello")}},
		{Conn: 2, Command: &handlerv1.Command_Close{Close: &handlerv1.Close{}}},
		{Conn: 2, Command: &handlerv1.Command_Authenticate{Authenticate: &handlerv1.Authenticate{
			Clientinfo: &exproto.ClientInfo{Clientid: "dev1"}, Password: "p",
		}}},
		{Conn: 2, Command: &handlerv1.Command_StartTimer{StartTimer: &handlerv1.StartTimer{Interval: 30}}},
		{Conn: 2, Command: &handlerv1.Command_Publish{
			Publish: &handlerv1.Publish{Topic: "t", Qos: 1, Payload: []byte("x")},
		}},
		{Conn: 2, Command: &handlerv1.Command_Subscribe{Subscribe: &handlerv1.Subscribe{Topic: "t", Qos: 1}}},
		{Conn: 2, Command: &handlerv1.Command_Unsubscribe{Unsubscribe: &handlerv1.Unsubscribe{Topic: "t"}}},
		{Conn: 2, Command: &handlerv1.Command_Pause{Pause: &handlerv1.Pause{}}},
		{Conn: 2, Command: &handlerv1.Command_Resume{Resume: &handlerv1.Resume{}}},
		{Token: 9, Command: &handlerv1.Command_RawPublish{RawPublish: &handlerv1.Publish{Topic: "t"}}},
		{Conn: 2, Token: 10},
	}}
	unknown := protowire.AppendTag(nil, 14, protowire.VarintType)
	frame.Commands[12].ProtoReflect().SetUnknown(protowire.AppendVarint(unknown, 1))
	return frame
}

// read parses a frame in blocks of 3 commands.
func read(b []byte) (commands []command, err error) {
	var r receivedFrame
	if err := (codec{}).Unmarshal(mem.BufferSlice{mem.SliceBuffer(b)}, &r); err != nil {
		return nil, err
	}
	defer r.Close()
	block := make([]command, 3)
	for {
		n, err := r.Read(block)
		if n == 0 || err != nil {
			return commands, err
		}
		commands = append(commands, block[:n]...)
	}
}

// FuzzReceived compares with the generated code.
func FuzzReceived(f *testing.F) {
	seed, err := proto.Marshal(every())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(seed)
	f.Add([]byte{0x12, 0x02, 0x08})
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := read(b)
		var want handlerv1.HandlerFrame
		switch malformed := proto.Unmarshal(b, &want); {
		case malformed != nil:
			return // the error may be in a field that receivedFrame skips
		case err != nil:
			t.Fatalf("%v, but the generated code takes it", err)
		case len(got) != len(want.GetCommands()):
			t.Fatalf("%d commands, want %d", len(got), len(want.GetCommands()))
		}
		for i, w := range want.GetCommands() {
			compare(t, got[i], w)
		}
	})
}

func compare(t *testing.T, got command, want *handlerv1.Command) {
	t.Helper()
	if got.Conn != want.GetConn() || got.Ack != want.GetAck() || got.Token != want.GetToken() {
		t.Errorf("got %+v, want %v", got, want)
	}
	kind := noOrder
	if which := want.ProtoReflect().WhichOneof(want.ProtoReflect().Descriptor().Oneofs().Get(0)); which != nil {
		kind = order(which.Number())
	}
	if got.Order != kind && (got.Order != unknownOrder || kind != noOrder) {
		t.Errorf("got order %d, want %d", got.Order, kind)
	}
	if kind == orderSend && string(got.Body) != string(want.GetSend()) {
		t.Errorf("got %q, want %q", got.Body, want.GetSend())
	}
}

func TestUnknownCommandIsToldFromAnAcknowledgement(t *testing.T) {
	b, err := proto.Marshal(every())
	if err != nil {
		t.Fatal(err)
	}
	got, err := read(b)
	if err != nil || got[1].Order != noOrder || got[12].Order != unknownOrder || got[12].Token != 10 {
		t.Errorf("%+v, %v", got, err)
	}
}
