package calldiff

import (
	"fmt"
	"hash/crc32"
	"strings"

	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/tap"
)

// maxShown bounds the bytes of a call in texts.
const maxShown = 128

// call is a call of a handler in a form that can be compared.
type call struct {
	kind     tap.Kind
	head     string // everything but data and password
	data     []byte
	password string
}

// callOf converts a record to a call. It reports false for records that are not compared: Pause and Resume have no
// effect that a device can see. The failure of a handler is compared as a call of the kind [tap.Handled].
func callOf(r *tap.Record) (c call, ok bool) {
	switch r.Kind {
	case tap.Send, tap.Publish, tap.SaveState:
		return call{kind: r.Kind, head: head(r), data: r.Data}, true
	case tap.Authenticate:
		return call{kind: r.Kind, head: head(r), password: r.Password}, true
	case tap.Close, tap.StartTimer, tap.SetTimer, tap.Subscribe, tap.Unsubscribe:
		return call{kind: r.Kind, head: head(r)}, true
	case tap.Handled:
		return call{kind: r.Kind, head: head(r)}, r.Err != nil
	}
	return call{}, false
}

// head describes a call without its bytes.
func head(r *tap.Record) string {
	switch r.Kind {
	case tap.Close:
		return "close " + valid(r.Reason.Name)
	case tap.Authenticate:
		c := r.Client
		return valid(fmt.Sprintf("authenticate clientid %q username %q protocol %q %q", c.ClientID, c.Username,
			c.ProtoName, c.ProtoVersion))
	case tap.StartTimer:
		return fmt.Sprintf("start_timer %d, %d s", r.Timer, r.Seconds)
	case tap.SetTimer:
		return fmt.Sprintf("set_timer %d, %d ms", r.Alarm, r.Millis)
	case tap.Publish, tap.Subscribe:
		return strings.TrimSpace(fmt.Sprintf("%v %q qos %d %v", r.Kind, valid(r.Topic), r.QoS, r.Props))
	case tap.Unsubscribe:
		return fmt.Sprintf("unsubscribe %q", valid(r.Topic))
	case tap.Handled:
		name, _, _ := strings.Cut(gateway.ReasonOf(r.Err).String(), ":")
		return "failed with " + name
	}
	return r.Kind.String()
}

// valid returns text as it is stored in a capture.
func valid(text string) string { return strings.ToValidUTF8(text, "\ufffd") }

// Text describes a call in one line, with long bytes cut.
func Text(r *tap.Record) string {
	if c, ok := callOf(r); ok {
		return c.text()
	}
	return r.Kind.String()
}

func (c call) text() string {
	text := c.head
	if len(text) > 4*maxShown {
		text = strings.ToValidUTF8(text[:4*maxShown], "") + "..."
	}
	if c.kind == tap.Send || c.kind == tap.Publish {
		text += " " + Quote(c.data)
	}
	return text
}

// Quote quotes b, cut after 128 bytes. The checksum shows differences beyond that.
func Quote(b []byte) string {
	if len(b) > maxShown {
		return fmt.Sprintf("%q... (%d bytes, crc %08x)", b[:maxShown], len(b), crc32.ChecksumIEEE(b))
	}
	return fmt.Sprintf("%q", b)
}
