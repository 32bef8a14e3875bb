package hostabi

import "bytes"

// Properties are what a message carries beside its topic, QoS and payload: the argument of publish_with, and part of a
// [Message]. Since minor 1.
type Properties struct {
	Retain        bool   // publish_with: the broker keeps the message. Received: the broker had kept it
	Expiry        uint32 // seconds; 0: the message does not expire
	ContentType   string
	ResponseTopic string // where an answer is expected
	Correlation   []byte // what an answer repeats
	User          []Property
}

// maxParsedUser bounds what ParseProperties makes of a message of empty user properties. Hosts allow fewer.
const maxParsedUser = 1024

// AppendProperties appends the message Properties to b.
func AppendProperties(b []byte, p Properties) []byte {
	if p.Retain {
		b = appendUint(b, 1, 1)
	}
	b = appendUint(b, 2, uint64(p.Expiry))
	b = appendText(b, 3, p.ContentType)
	b = appendText(b, 4, p.ResponseTopic)
	b = appendText(b, 5, p.Correlation)
	for _, u := range p.User {
		b = appendPair(b, 6, u.Name, u.Value)
	}
	return b
}

// ParseProperties parses a message Properties. Its fields are copies. Unknown fields are skipped, the last occurrence
// of a field counts, and text must be UTF-8.
func ParseProperties(b []byte) (p Properties, err error) {
	for len(b) > 0 {
		f, rest, err := next(b)
		if err != nil {
			return p, err
		}
		if err := p.set(f); err != nil {
			return p, err
		}
		b = rest
	}
	return p, nil
}

func (p *Properties) set(f field) error {
	switch {
	case f.wire == wireVarint && f.number == 1:
		p.Retain = f.value != 0
	case f.wire == wireVarint && f.number == 2:
		p.Expiry = uint32(f.value) // protobuf takes the lower half
	case f.wire != wireBytes:
	case f.number == 3:
		return setText(&p.ContentType, "content_type", f.bytes)
	case f.number == 4:
		return setText(&p.ResponseTopic, "response_topic", f.bytes)
	case f.number == 5:
		p.Correlation = bytes.Clone(f.bytes)
	case f.number == 6:
		return p.addUser(f.bytes)
	}
	return nil
}

func (p *Properties) addUser(pair []byte) error {
	if len(p.User) >= maxParsedUser {
		return errMessage
	}
	var u Property
	err := eachText(pair, "Property", func(number uint64, text []byte) error {
		switch number {
		case 1:
			return setText(&u.Name, "name", text)
		case 2:
			return setText(&u.Value, "value", text)
		}
		return nil
	})
	p.User = append(p.User, u)
	return err
}
