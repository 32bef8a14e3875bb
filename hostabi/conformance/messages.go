package conformance

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/exgate/exgate/hostabi"
)

func message(i int) hostabi.Message {
	return hostabi.Message{
		Node: "node", ID: fmt.Sprintf("id-%d", i), QoS: uint32(i % 3), From: "from", Topic: fmt.Sprintf("kit/%d", i),
		Payload: fmt.Appendf(nil, "payload %d", i), Timestamp: 1_790_000_000_000,
	}
}

// messages delivers a body of messages on new connections: before the device has sent anything, and after.
func (t *trial) messages(body []byte) {
	d := t.device()
	d.event(hostabi.KindMessages, 0, body)
	d.bytes(t.run.options.Samples[0])
	d.event(hostabi.KindMessages, 0, body)
	d.close("tcp_closed")
}

func messagesNone(t *trial) string {
	t.messages(nil)
	return "accepts an event without messages"
}

func messagesOne(t *trial) string {
	t.messages(hostabi.AppendMessage(nil, message(1)))
	t.messages(hostabi.AppendMessage(nil, hostabi.Message{}))
	return "accepts one message, and one without any field"
}

func messagesMany(t *trial) string {
	var body []byte
	n := 0
	for ; len(body) < eventBytes-256; n++ {
		body = hostabi.AppendMessage(body, message(n))
	}
	t.messages(body)
	empty := bytes.Repeat(hostabi.AppendMessage(nil, hostabi.Message{}), 1000)
	t.messages(empty)
	return fmt.Sprintf("accepts %d messages in one event, and 1000 empty ones", n)
}

// messagesLargest fills the largest body with each field in turn.
func messagesLargest(t *trial) string {
	const room = eventBytes - 64
	t.messages(hostabi.AppendMessage(nil, hostabi.Message{Topic: strings.Repeat("t", room)}))
	t.messages(hostabi.AppendMessage(nil, hostabi.Message{Topic: "t", Payload: bytes.Repeat([]byte{0xff}, room)}))
	t.messages(hostabi.AppendMessage(nil, hostabi.Message{
		Node: strings.Repeat("n", room/4), ID: strings.Repeat("i", room/4), From: strings.Repeat("f", room/4),
		Topic: "t",
		QoS:   1<<32 - 1, Timestamp: 1<<64 - 1,
	}))
	return "accepts messages whose topic, payload or other fields fill the largest event"
}

// messagesOverLimit delivers a body above the default limit: the guest may refuse the buffer, and then the message is
// dropped.
func messagesOverLimit(t *trial) string {
	const payload = 1 << 20
	t.messages(hostabi.AppendMessage(nil, hostabi.Message{Topic: "t", Payload: bytes.Repeat([]byte("p"), payload)}))
	t.messages(hostabi.AppendMessage(nil, message(1)))
	return fmt.Sprintf("accepts or refuses a message of %d bytes, and accepts the next one", payload)
}

func messagesNotUTF8(t *trial) string {
	const text = "\xff\xfe\x00\xed\xa0\x80\xf4\x90\x80\x80\n\r\""
	t.messages(hostabi.AppendMessage(nil, hostabi.Message{
		Node: text, ID: text, From: text, Topic: text, Payload: []byte(text),
	}))
	return "accepts text that is not UTF-8"
}

// unknownFields are fields with unused numbers, one of each wire type.
var unknownFields = []byte{
	0xf8, 0x01, 0x07, // 31, a number
	0xf9, 0x01, 1, 2, 3, 4, 5, 6, 7, 8, // 31, eight bytes
	0xfa, 0x01, 0x02, 'h', 'i', // 31, text
	0xfd, 0x01, 1, 2, 3, 4, // 31, four bytes
}

// fieldsUnknown delivers messages of a later minor version.
func fieldsUnknown(t *trial) string {
	plain := hostabi.AppendMessage(nil, message(1))
	with := append(bytes.Clone(unknownFields), plain...)
	known := t.scriptOf(func(d *device) { d.session(plain) })
	unknown := t.scriptOf(func(d *device) { d.session(with) })
	if known != unknown {
		t.failf("the guest makes other calls if a message has unknown fields: it must skip them")
	}
	d := &device{t: t}
	d.connectWith(append(bytes.Clone(unknownFields), hostabi.AppendConnInfo(nil, connInfo())...))
	d.close("tcp_closed")
	return "skips unknown fields"
}

// session runs the samples until the guest is logged in, and delivers a body of messages.
func (d *device) session(messages []byte) {
	d.bytes(d.t.run.options.Samples[0])
	d.event(hostabi.KindMessages, 0, messages)
}
