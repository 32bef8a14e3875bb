package capture

import (
	"encoding/hex"
	"unicode"
	"unicode/utf8"

	"github.com/exgate/exgate/runtime/gateway"
)

// line is an entry as JSON. Fields that its kind does not have are omitted.
type line struct {
	Conn   uint32 `json:"c"`
	Number uint32 `json:"n"`
	Micros int64  `json:"t"` // since the capture began

	Event  string `json:"event,omitempty"`
	Call   string `json:"call,omitempty"`
	Result string `json:"result,omitempty"`
	Failed string `json:"failed,omitempty"`
	Cut    string `json:"cut,omitempty"`

	ID      uint32 `json:"id,omitempty"` // of a call
	Of      uint32 `json:"of,omitempty"` // the call that a result belongs to
	Refused bool   `json:"refused,omitempty"`
	Message string `json:"message,omitempty"`
	Wanted  bool   `json:"wanted,omitempty"`

	Socket string  `json:"socket,omitempty"`
	Peer   string  `json:"peer,omitempty"`
	Local  string  `json:"local,omitempty"`
	Cert   *cert   `json:"cert,omitempty"`
	Module string  `json:"module,omitempty"`
	Client *client `json:"client,omitempty"`

	Properties []property `json:"properties,omitempty"`

	Timer    *uint8    `json:"timer,omitempty"`
	Seconds  uint32    `json:"seconds,omitempty"`
	Alarm    *uint32   `json:"alarm,omitempty"`
	Millis   int32     `json:"ms,omitempty"`
	Reason   string    `json:"reason,omitempty"`
	Code     uint16    `json:"code,omitempty"`
	Detail   string    `json:"detail,omitempty"`
	Topic    string    `json:"topic,omitempty"`
	QoS      uint32    `json:"qos,omitempty"`
	Messages []message `json:"messages,omitempty"`
	Props    *props    `json:"props,omitempty"`

	data
	Covered bool `json:"covered,omitempty"`
}

type cert struct {
	CommonName        string `json:"cn"`
	DistinguishedName string `json:"dn"`
}

type property struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

type client struct {
	ClientID   string `json:"clientid"`
	Username   string `json:"username,omitempty"`
	Name       string `json:"proto_name,omitempty"`
	Version    string `json:"proto_ver,omitempty"`
	Mountpoint string `json:"mountpoint,omitempty"`
}

type message struct {
	ID     string `json:"id"`
	Node   string `json:"node,omitempty"`
	From   string `json:"from,omitempty"`
	Topic  string `json:"topic"`
	QoS    byte   `json:"qos"`
	Millis int64  `json:"timestamp"` // since 1970
	data
	Props *props `json:"props,omitempty"`
}

// props are the properties of a message.
type props struct {
	Retain        bool       `json:"retain,omitempty"`
	Expiry        uint32     `json:"expiry,omitempty"`
	ContentType   string     `json:"content_type,omitempty"`
	ResponseTopic string     `json:"response_topic,omitempty"`
	Correlation   hexBytes   `json:"correlation,omitempty"`
	User          []property `json:"user,omitempty"`
}

func propsOf(p *gateway.Properties) *props {
	if p == nil {
		return nil
	}
	l := &props{
		Retain: p.Retain, Expiry: p.Expiry, ContentType: p.ContentType, ResponseTopic: p.ResponseTopic,
		Correlation: p.Correlation,
	}
	for _, u := range p.User {
		l.User = append(l.User, property(u))
	}
	return l
}

func (l *props) properties() *gateway.Properties {
	if l == nil {
		return nil
	}
	p := &gateway.Properties{
		Retain: l.Retain, Expiry: l.Expiry, ContentType: l.ContentType, ResponseTopic: l.ResponseTopic,
		Correlation: l.Correlation,
	}
	for _, u := range l.User {
		p.User = append(p.User, gateway.Property(u))
	}
	return p
}

// data is a byte string: text if it is readable, otherwise hexadecimal. Both can be searched and compared.
type data struct {
	Text string   `json:"text,omitempty"`
	Hex  hexBytes `json:"hex,omitempty"`
}

func dataOf(b []byte) data {
	if readable(b) {
		return data{Text: string(b)}
	}
	return data{Hex: b}
}

func (d data) bytes() []byte {
	if d.Hex != nil {
		return d.Hex
	}
	return []byte(d.Text)
}

// readable reports whether b is text that every editor shows alike.
func readable(b []byte) bool {
	if !utf8.Valid(b) {
		return false
	}
	for _, r := range string(b) {
		if !unicode.IsPrint(r) && r != '\n' && r != '\r' && r != '\t' || r == utf8.RuneError {
			return false
		}
	}
	return true
}

// hexBytes is a byte string that is hexadecimal in JSON.
type hexBytes []byte

func (h hexBytes) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, h), nil }

func (h *hexBytes) UnmarshalText(text []byte) (err error) {
	*h, err = hex.AppendDecode([]byte{}, text)
	return err
}
