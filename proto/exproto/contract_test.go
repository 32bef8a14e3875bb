package exproto_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/exgate/exgate/proto/exproto"
)

// The contract as handlers in the field have it compiled in. A line that changes here is a handler that breaks there.
var wantMessages = []string{
	"Address: string host=1; uint32 port=2",
	"AuthenticateRequest: string conn=1; ClientInfo clientinfo=2; string password=3",
	"CertificateInfo: string cn=1; string dn=2",
	"ClientInfo: string proto_name=1; string proto_ver=2; string clientid=3; string username=4; string mountpoint=5",
	"CloseSocketRequest: string conn=1",
	"CodeResponse: ResultCode code=1; string message=2",
	"ConnInfo: SocketType socktype=1; Address peername=2; Address sockname=3; CertificateInfo peercert=4",
	"EmptySuccess: ",
	"Message: string node=1; string id=2; uint32 qos=3; string from=4; string topic=5; " +
		"bytes payload=6; uint64 timestamp=7",
	"PublishRequest: string conn=1; string topic=2; uint32 qos=3; bytes payload=4",
	"RawPublishRequest: string topic=1; uint32 qos=2; bytes payload=3",
	"ReceivedBytesRequest: string conn=1; bytes bytes=2",
	"ReceivedMessagesRequest: string conn=1; repeated Message messages=2",
	"SendBytesRequest: string conn=1; bytes bytes=2",
	"SocketClosedRequest: string conn=1; string reason=2",
	"SocketCreatedRequest: string conn=1; ConnInfo conninfo=2",
	"SubscribeRequest: string conn=1; string topic=2; uint32 qos=3",
	"TimerRequest: string conn=1; TimerType type=2; uint32 interval=3",
	"TimerTimeoutRequest: string conn=1; TimerType type=2",
	"UnsubscribeRequest: string conn=1; string topic=2",
}

var wantEnums = []string{
	"ResultCode: SUCCESS=0 UNKNOWN=1 CONN_PROCESS_NOT_ALIVE=2 REQUIRED_PARAMS_MISSED=3 " +
		"PARAMS_TYPE_ERROR=4 PERMISSION_DENY=5",
	"SocketType: TCP=0 SSL=1 UDP=2 DTLS=3",
	"TimerType: KEEPALIVE=0",
}

var wantMethods = []string{
	"/emqx.exproto.v1.ConnectionAdapter/Authenticate unary AuthenticateRequest CodeResponse",
	"/emqx.exproto.v1.ConnectionAdapter/Close unary CloseSocketRequest CodeResponse",
	"/emqx.exproto.v1.ConnectionAdapter/Publish unary PublishRequest CodeResponse",
	"/emqx.exproto.v1.ConnectionAdapter/RawPublish unary RawPublishRequest CodeResponse",
	"/emqx.exproto.v1.ConnectionAdapter/Send unary SendBytesRequest CodeResponse",
	"/emqx.exproto.v1.ConnectionAdapter/StartTimer unary TimerRequest CodeResponse",
	"/emqx.exproto.v1.ConnectionAdapter/Subscribe unary SubscribeRequest CodeResponse",
	"/emqx.exproto.v1.ConnectionAdapter/Unsubscribe unary UnsubscribeRequest CodeResponse",
	"/emqx.exproto.v1.ConnectionHandler/OnReceivedBytes client-stream ReceivedBytesRequest EmptySuccess",
	"/emqx.exproto.v1.ConnectionHandler/OnReceivedMessages client-stream ReceivedMessagesRequest EmptySuccess",
	"/emqx.exproto.v1.ConnectionHandler/OnSocketClosed client-stream SocketClosedRequest EmptySuccess",
	"/emqx.exproto.v1.ConnectionHandler/OnSocketCreated client-stream SocketCreatedRequest EmptySuccess",
	"/emqx.exproto.v1.ConnectionHandler/OnTimerTimeout client-stream TimerTimeoutRequest EmptySuccess",
	"/emqx.exproto.v1.ConnectionUnaryHandler/OnReceivedBytes unary ReceivedBytesRequest EmptySuccess",
	"/emqx.exproto.v1.ConnectionUnaryHandler/OnReceivedMessages unary ReceivedMessagesRequest EmptySuccess",
	"/emqx.exproto.v1.ConnectionUnaryHandler/OnSocketClosed unary SocketClosedRequest EmptySuccess",
	"/emqx.exproto.v1.ConnectionUnaryHandler/OnSocketCreated unary SocketCreatedRequest EmptySuccess",
	"/emqx.exproto.v1.ConnectionUnaryHandler/OnTimerTimeout unary TimerTimeoutRequest EmptySuccess",
}

func TestMessagesAreTheContract(t *testing.T) {
	all := exproto.File_exproto_exproto_proto.Messages()
	var got []string
	for i := range all.Len() {
		got = append(got, describeMessage(all.Get(i)))
	}
	compare(t, got, wantMessages)
}

func TestEnumsAreTheContract(t *testing.T) {
	all := exproto.File_exproto_exproto_proto.Enums()
	var got []string
	for i := range all.Len() {
		got = append(got, describeEnum(all.Get(i)))
	}
	compare(t, got, wantEnums)
}

func TestMethodsAreTheContract(t *testing.T) {
	all := exproto.File_exproto_exproto_proto.Services()
	var got []string
	for i := range all.Len() {
		methods := all.Get(i).Methods()
		for j := range methods.Len() {
			got = append(got, describeMethod(methods.Get(j)))
		}
	}
	compare(t, got, wantMethods)
}

func describeMessage(m protoreflect.MessageDescriptor) string {
	var fields []string
	for i := range m.Fields().Len() {
		f := m.Fields().Get(i)
		fields = append(fields, fmt.Sprintf("%s %s=%d", fieldType(f), f.Name(), f.Number()))
	}
	return fmt.Sprintf("%s: %s", m.Name(), strings.Join(fields, "; "))
}

func fieldType(f protoreflect.FieldDescriptor) string {
	name := f.Kind().String()
	switch f.Kind() {
	case protoreflect.MessageKind:
		name = string(f.Message().Name())
	case protoreflect.EnumKind:
		name = string(f.Enum().Name())
	}
	if f.Cardinality() == protoreflect.Repeated {
		return "repeated " + name
	}
	return name
}

func describeEnum(e protoreflect.EnumDescriptor) string {
	var values []string
	for i := range e.Values().Len() {
		v := e.Values().Get(i)
		values = append(values, fmt.Sprintf("%s=%d", v.Name(), v.Number()))
	}
	return fmt.Sprintf("%s: %s", e.Name(), strings.Join(values, " "))
}

func describeMethod(m protoreflect.MethodDescriptor) string {
	kind := "unary"
	switch {
	case m.IsStreamingClient() && m.IsStreamingServer():
		kind = "bidirectional"
	case m.IsStreamingClient():
		kind = "client-stream"
	case m.IsStreamingServer():
		kind = "server-stream"
	}
	return fmt.Sprintf("/%s/%s %s %s %s", m.Parent().FullName(), m.Name(), kind, m.Input().Name(), m.Output().Name())
}

func compare(t *testing.T, got, want []string) {
	t.Helper()
	for _, line := range want {
		if !slices.Contains(got, line) {
			t.Errorf("missing: %s", line)
		}
	}
	for _, line := range got {
		if !slices.Contains(want, line) {
			t.Errorf("not in the contract: %s", line)
		}
	}
}
