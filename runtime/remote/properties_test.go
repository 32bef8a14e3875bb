package remote_test

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/encoding/protowire"

	handlerv1 "github.com/exgate/exgate/proto/exgate/handler/v1"
	handler "github.com/exgate/exgate/proto/sdk/go"
	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/gateway/gatewaytest"
	"github.com/exgate/exgate/runtime/handlertest"
	"github.com/exgate/exgate/runtime/remote"
)

// TestProperties plays messages with properties in the only dialect that has them. The traces are those of modules.
func TestProperties(t *testing.T) {
	handlertest.RunProperties(t, "session", func(t *testing.T) gateway.HandlerFactory {
		adapter, _ := serveAdapter(t, remote.AdapterConfig{})
		address := serveSDK(t, handler.Config{New: func() handler.Handler { return new(prober) }, Window: 1})
		client, err := remote.NewClient(remote.ClientConfig{
			Name: "properties", Addresses: []string{address}, Dialect: remote.DialectSession,
		}, adapter)
		must(t, err)
		return client
	})
}

// prober is the part of the probe that has properties.
type prober struct {
	handler.Nothing
	request handler.Request
}

func (p *prober) OnReceivedBytes(c *handler.Conn, b []byte) {
	for line := range strings.Lines(string(b)) {
		command, rest, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		token, err := p.execute(c, command, rest)
		var refused *handler.Error
		if errors.As(err, &refused) {
			_ = c.Send(fmt.Appendf(nil, "refused %s %d\n", command, refused.Code))
			continue
		}
		_ = c.Send(fmt.Appendf(nil, "result %d 0\n", token))
	}
}

func (p *prober) execute(c *handler.Conn, command, rest string) (token int, err error) {
	switch words := strings.SplitN(rest, " ", 10); command {
	case "auth":
		client := &handler.ClientInfo{ProtoName: "probe", ProtoVer: "1", Clientid: words[0], Username: words[1]}
		return 1, c.Authenticate(client, words[2])
	case "sub":
		return 3, c.Subscribe(words[0], number(words[1]))
	case "answer":
		qos, payload, _ := strings.Cut(rest, " ")
		return 2, c.Answer(p.request, number(qos), []byte(payload))
	default:
		props := &handler.Properties{
			Retain: number(words[2]) != 0, Expiry: number(words[3]), ContentType: optional(words[4]),
			ResponseTopic: optional(words[5]), Correlation: []byte(optional(words[6])),
		}
		if words[7] != "-" {
			props.User = []*handler.Property{{Name: words[7], Value: words[8]}}
		}
		return 2, c.PublishWith(words[0], number(words[1]), []byte(words[9]), props)
	}
}

func number(word string) (n uint32) {
	_, _ = fmt.Sscan(word, &n)
	return n
}

func optional(word string) string { return strings.TrimPrefix(word, "-") }

func (p *prober) OnReceivedMessages(c *handler.Conn, messages []*handler.Message) {
	for _, m := range messages {
		line := fmt.Appendf(nil, "message node=%s id=%s qos=%d from=%s topic=%s at=%d payload=%s", m.GetNode(),
			m.GetId(), m.GetQos(), m.GetFrom(), m.GetTopic(), m.GetTimestamp(), m.GetPayload())
		_ = c.Send(append(appendProperties(line, m.Properties), '\n'))
		if request, ok := handler.RequestOf(m); ok {
			p.request = request
		}
	}
}

func appendProperties(line []byte, p *handler.Properties) []byte {
	if p.GetExpiry() != 0 {
		line = fmt.Appendf(line, " expiry=%d", p.GetExpiry())
	}
	for _, named := range [][2]string{
		{"type", p.GetContentType()}, {"response", p.GetResponseTopic()}, {"correlation", string(p.GetCorrelation())},
	} {
		if named[1] != "" {
			line = fmt.Appendf(line, " %s=%s", named[0], named[1])
		}
	}
	for _, u := range p.GetUser() {
		line = fmt.Appendf(line, " %s=%s", u.GetName(), u.GetValue())
	}
	return line
}

// featured is a handler of sessions that uses some features. It sends each raw command that it is given and keeps what
// comes.
type featured struct {
	handlerv1.UnimplementedSessionHandlerServer
	features []string
	commands chan []byte // encoded, without conn

	mu       sync.Mutex
	messages []*handlerv1.Messages
	results  []*handlerv1.Result
}

func (f *featured) Session(stream sessionServer) error {
	if _, err := stream.Recv(); err != nil {
		return err
	}
	hello := &handlerv1.HandlerHello{Version: 1, Features: f.features}
	if err := stream.Send(&handlerv1.HandlerFrame{Hello: hello}); err != nil {
		return err
	}
	for {
		frame, err := stream.Recv()
		if err != nil {
			return err
		}
		for _, e := range frame.GetEvents() {
			answer := &handlerv1.HandlerFrame{Commands: []*handlerv1.Command{{Conn: e.GetConn(), Ack: e.GetSeq()}}}
			if len(e.GetBytes()) > 0 {
				command := <-f.commands // the test puts it there before the bytes
				command = protowire.AppendVarint(protowire.AppendTag(command, 1, protowire.VarintType), e.GetConn())
				command = protowire.AppendVarint(protowire.AppendTag(command, 3, protowire.VarintType), e.GetSeq())
				answer.ProtoReflect().SetUnknown( // so that it may be malformed
					protowire.AppendBytes(protowire.AppendTag(nil, 2, protowire.BytesType), command))
			}
			f.keep(e)
			if err := stream.Send(answer); err != nil {
				return err
			}
		}
	}
}

func (f *featured) keep(e *handlerv1.Event) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if m := e.GetMessages(); m != nil {
		f.messages = append(f.messages, m)
	}
	if r := e.GetResult(); r != nil {
		f.results = append(f.results, r)
	}
}

func (f *featured) count() (messages, results int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.messages), len(f.results)
}

// serveFeatured returns a handler that uses features, and a device that it knows.
func serveFeatured(t *testing.T, maxBatch int, features ...string) (*featured, *device, gateway.ConnectionHandler) {
	t.Helper()
	f := &featured{features: features, commands: make(chan []byte, 16)}
	address, _ := serveOn(t, "", func(s *grpc.Server) { handlerv1.RegisterSessionHandlerServer(s, f) })
	a, _ := serveAdapter(t, remote.AdapterConfig{})
	c := newClient(t, remote.ClientConfig{
		Addresses: []string{address}, Dialect: remote.DialectSession, MaxBatch: maxBatch,
	}, a)
	d := newDevice("a")
	h, err := c.NewHandler(d)
	must(t, err)
	must(t, h.OnSocketCreated(gateway.ConnInfo{}))
	must(t, h.OnReceivedBytes(nil)) // the stream is open once it is handled
	return f, d, h
}

// The properties of a message keep their index when a batch is split, and only handlers that use them get them.
func TestSessionSendsProperties(t *testing.T) {
	messages := []gateway.Message{message("1", "t", "a"), message("2", "t", "b"), message("3", "t", "c")}
	messages[0].Properties = &gateway.Properties{Retain: true}
	messages[2].Properties = &gateway.Properties{
		Expiry: 9, ContentType: "type", ResponseTopic: "a/b", Correlation: []byte{0, 255},
		User: []gateway.Property{{Name: "k", Value: "1"}, {Name: "k", Value: "2"}},
	}
	for want, features := range map[string][]string{
		`[0:retain:true ] [0:expiry:9 content_type:"type" response_topic:"a/b" correlation:"\x00\xff" ` +
			`user:{name:"k" value:"1"} user:{name:"k" value:"2"} ]`: {"properties"},
		"[] []": {"state"},
	} {
		f, _, h := serveFeatured(t, 2, features...)
		must(t, h.OnReceivedMessages(messages))
		gatewaytest.Eventually(t, "both batches have come", func() bool { n, _ := f.count(); return n == 2 })
		var got []string
		for _, m := range f.messages {
			got = append(got, fmt.Sprint(propertiesOf(m)))
		}
		expect(t, strings.Join(features, " "), strings.Join(got, " "), want)
	}
}

func propertiesOf(m *handlerv1.Messages) string {
	var b strings.Builder
	for i := range m.GetMessages() {
		if p := m.GetProperties()[uint32(i)]; p != nil {
			fmt.Fprintf(&b, "%d:%s ", i, strings.ReplaceAll(p.String(), "  ", " "))
		}
	}
	return "[" + b.String() + "]"
}

// Properties are bounded before they are parsed, and raw_publish has none.
func TestSessionRefusesProperties(t *testing.T) {
	f, d, h := serveFeatured(t, 0, "properties")
	many := bytes.Repeat(protowire.AppendBytes(protowire.AppendTag(nil, 6, protowire.BytesType), nil), 20_000)
	for _, command := range [][]byte{
		publishCommand(8, "fits", many[:32<<10]),
		publishCommand(8, "large", many),
		publishCommand(8, "large in parts", many[:20_000], many[:20_000]),
		publishCommand(8, "text", protowire.AppendString(protowire.AppendTag(nil, 3, protowire.BytesType), "\xff")),
		publishCommand(13, "raw", nil),
		publishCommand(8, "empty", nil),
		publishCommand(8, "none"),
	} {
		f.commands <- command
		must(t, h.OnReceivedBytes([]byte("x")))
	}
	gatewaytest.Eventually(t, "all results have come", func() bool { _, n := f.count(); return n == 7 })
	slices.SortFunc(f.results, func(a, b *handlerv1.Result) int { return cmp.Compare(a.GetToken(), b.GetToken()) })
	var got []string
	for _, r := range f.results {
		got = append(got, fmt.Sprintf("%v %s", r.GetCode(), r.GetMessage()))
	}
	expect(t, "results", strings.Join(got, "\n"), strings.Join([]string{
		"SUCCESS ",
		"UNKNOWN the properties of a message may have 32768 bytes encoded",
		"UNKNOWN the properties of a message may have 32768 bytes encoded",
		"PARAMS_TYPE_ERROR the command is malformed",
		"PARAMS_TYPE_ERROR raw_publish has no properties", "SUCCESS ", "SUCCESS ",
	}, "\n"))
	lines := strings.Split(d.String(), "\n")
	for i, line := range lines {
		lines[i], _, _ = strings.Cut(line, " user=")
	}
	expect(t, "calls", strings.Join(lines, "\n"),
		"PublishWith fits 0 \nPublishWith empty 0  \nPublish none 0 ")
}

// publishCommand encodes a Command whose field is a Publish with the properties.
func publishCommand(field protowire.Number, topic string, properties ...[]byte) []byte {
	body := protowire.AppendString(protowire.AppendTag(nil, 1, protowire.BytesType), topic)
	for _, p := range properties {
		body = protowire.AppendBytes(protowire.AppendTag(body, 4, protowire.BytesType), p)
	}
	return protowire.AppendBytes(protowire.AppendTag(nil, field, protowire.BytesType), body)
}
