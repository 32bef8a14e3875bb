package exproto

import "bytes"

// Property is a named value of a connection or of a message.
type Property struct{ Name, Value string }

// Properties are what a message carries beside its topic, QoS and payload, as in MQTT 5. Each is optional.
type Properties struct {
	// Retain asks the broker to keep the message for later subscribers. Of a received message it says that the broker
	// had kept it.
	Retain        bool
	Expiry        uint32 // seconds until the message expires; 0: it does not
	ContentType   string
	ResponseTopic string     // where an answer is expected
	Correlation   []byte     // what an answer repeats; of a received message valid during the event
	User          []Property // at most 64
}

func (p *Properties) append(b []byte) []byte {
	if p.Retain {
		b = append(b, 1<<3, 1)
	}
	b = appendUint(b, 2, uint64(p.Expiry))
	b = appendText(b, 3, p.ContentType)
	b = appendText(b, 4, p.ResponseTopic)
	b = appendText(b, 5, string(p.Correlation))
	var pair []byte
	for _, u := range p.User {
		pair = appendText(appendText(pair[:0], 1, u.Name), 2, u.Value)
		b = append(appendLength(b, 6, len(pair)), pair...)
	}
	return b
}

func parseProperties(b []byte) (*Properties, error) {
	p := new(Properties)
	err := eachField(b, func(f field) (err error) {
		switch f.number {
		case 1:
			p.Retain = f.value != 0
		case 2:
			p.Expiry = uint32Of(f.value)
		case 3:
			p.ContentType = string(f.bytes)
		case 4:
			p.ResponseTopic = string(f.bytes)
		case 5:
			p.Correlation = f.bytes
		case 6:
			var u Property
			u, err = parseProperty(f.bytes)
			p.User = append(p.User, u)
		}
		return err
	})
	return p, err
}

func parseProperty(b []byte) (p Property, err error) {
	err = eachField(b, func(f field) error {
		switch f.number {
		case 1:
			p.Name = string(f.bytes)
		case 2:
			p.Value = string(f.bytes)
		}
		return nil
	})
	return p, err
}

// Request is what a message's sender needs to match an answer to it. It outlives the event.
type Request struct {
	topic       string
	correlation []byte
}

// RequestOf returns the request that m is. It reports false if m expects no answer.
func RequestOf(m Message) (Request, bool) {
	if m.Properties == nil || m.Properties.ResponseTopic == "" {
		return Request{}, false
	}
	return Request{m.Properties.ResponseTopic, bytes.Clone(m.Properties.Correlation)}, true
}

// Answer publishes the answer to a request, with its correlation data. See [Conn.Publish].
func (c *Conn) Answer(r Request, qos uint32, payload []byte, done func(Result)) Code {
	return c.PublishWith(r.topic, qos, payload, Properties{Correlation: r.correlation}, done)
}

// Answer is [Conn.Answer] with a token.
func (t TokenCalls) Answer(r Request, qos uint32, payload []byte) Code {
	return t.PublishWith(r.topic, qos, payload, Properties{Correlation: r.correlation})
}

// PublishWith is [Conn.Publish] with properties. If the broker keeps no messages, Retain is [Unsupported]. It needs a
// gateway with minor version 1 of the contract.
func (c *Conn) PublishWith(topic string, qos uint32, payload []byte, props Properties, done func(Result)) Code {
	token := c.expect(done)
	return c.settle(token, c.host.PublishWith(c.id, token, topic, qos, payload, props.append(nil)))
}

// PublishWith is [Conn.PublishWith] with a token.
func (t TokenCalls) PublishWith(topic string, qos uint32, payload []byte, props Properties) Code {
	return t.conn.host.PublishWith(t.conn.id, t.token, topic, qos, payload, props.append(nil))
}
