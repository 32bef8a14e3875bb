package handler

import (
	handlerv1 "github.com/exgate/exgate/proto/exgate/handler/v1"
	"github.com/exgate/exgate/proto/exproto"
)

// Message is a message from the broker.
type Message struct {
	*exproto.Message

	// Properties are nil if the message has none, and in dialects other than session.
	Properties *Properties
}

// Properties are what a message carries beside its topic, QoS and payload, as in MQTT 5. Each is optional. A published
// message has at most 64 user properties, and 16 KiB of properties in all. Retain asks the broker to keep the message;
// of a received message it says that the broker had kept it. Expiry is in seconds; 0: the message does not expire.
type Properties = handlerv1.Properties

// Property is a named value.
type Property = handlerv1.Property

// Request is what the sender of a message needs to match an answer to it.
type Request struct {
	topic       string
	correlation []byte
}

// RequestOf returns the request that m is. It reports false if m expects no answer.
func RequestOf(m *Message) (Request, bool) {
	topic := m.Properties.GetResponseTopic()
	return Request{topic: topic, correlation: m.Properties.GetCorrelation()}, topic != ""
}

// Answer publishes the answer to a request, with its correlation data. See [Conn.Publish].
func (c *Conn) Answer(r Request, qos uint32, payload []byte) error {
	return c.PublishWith(r.topic, qos, payload, &Properties{Correlation: r.correlation})
}

// PublishWith is [Conn.Publish] with properties, which must not be changed afterwards. If the broker keeps no messages,
// Retain is refused with [CodeUnknown]. It works only in the dialect session, with a gateway that has properties;
// otherwise it returns [CodeParamsTypeError].
func (c *Conn) PublishWith(topic string, qos uint32, payload []byte, props *Properties) error {
	return c.gateway.do(&handlerv1.Command{Command: &handlerv1.Command_Publish{
		Publish: &handlerv1.Publish{Topic: topic, Qos: qos, Payload: payload, Properties: props},
	}})
}

// Properties returns what else the listener knows of the connection, such as the path of a WebSocket. Only the dialect
// session has it.
func (c *Conn) Properties() []*Property { return c.properties }

// Property returns the value of the property of the connection called name, or "".
func (c *Conn) Property(name string) string {
	for _, p := range c.properties {
		if p.GetName() == name {
			return p.GetValue()
		}
	}
	return ""
}

// withProperties returns messages with their properties, by index.
func withProperties(messages []*exproto.Message, properties map[uint32]*Properties) []*Message {
	all := make([]Message, len(messages))
	list := make([]*Message, len(messages))
	for i, m := range messages {
		all[i] = Message{Message: m, Properties: properties[uint32(i)]}
		list[i] = &all[i]
	}
	return list
}
