package brokers

import (
	"strings"
	"testing"
)

// Reason codes, MQTT 5, section 2.4.
const (
	badUserNameOrPassword = 0x86
	notAuthorized         = 0x87
)

// TestHiveMQMerges checks what other tests rely on: a message that matches two subscriptions arrives once, with the
// identifiers of both.
func TestHiveMQMerges(t *testing.T) {
	conn := dial(t, StartHiveMQ(t, HiveMQOptions{}), connectPlain)
	next(t, conn, connack)
	send(t, conn, "\x82\x0B\x00\x01\x02\x0B\x01\x00\x03a/b\x00")
	next(t, conn, suback)
	send(t, conn, "\x82\x0B\x00\x02\x02\x0B\x02\x00\x03a/+\x00")
	next(t, conn, suback)
	send(t, conn, "\x30\x06\x00\x03a/b\x00"+"\x30\x06\x00\x03a/c\x00")
	got := next(t, conn, publish)
	if !strings.HasPrefix(got, "\x00\x03a/b") || !strings.Contains(got, "\x0B\x01") ||
		!strings.Contains(got, "\x0B\x02") {
		t.Errorf("the first message is % x, want a/b with the identifiers 1 and 2", got)
	}
	if got := next(t, conn, publish); !strings.HasPrefix(got, "\x00\x03a/c") {
		t.Errorf("the second message is % x, want a/c", got)
	}
}

func TestHiveMQPasswords(t *testing.T) {
	b := StartHiveMQ(t, HiveMQOptions{Users: map[string]string{"device": "secret"}})
	for password, want := range map[string]byte{"secret": 0, "guess!": badUserNameOrPassword} {
		conn := dial(t, b, "\x10\x22\x00\x04MQTT\x05\xC2\x00\x3C\x00\x00\x05plain\x00\x06device\x00\x06"+password)
		if got := next(t, conn, connack); got[1] != want {
			t.Errorf("%s: CONNACK is % x", password, got)
		}
	}
}

// TestHiveMQDenies expects HiveMQ to refuse a denied PUBLISH and disconnect the client, and only to refuse a denied
// SUBSCRIBE. MQTT 5 allows both, section 4.13.
func TestHiveMQDenies(t *testing.T) {
	b := StartHiveMQ(t, HiveMQOptions{Denied: []string{"denied/#"}})
	publisher := dial(t, b, connectPlain+"\x32\x0D\x00\x08denied/a\x00\x01\x00")
	next(t, publisher, connack)
	if got := next(t, publisher, puback); got[2] != notAuthorized {
		t.Errorf("publishing: PUBACK is % x", got)
	}
	if got := next(t, publisher, disconnect); got[0] != notAuthorized {
		t.Errorf("publishing: DISCONNECT is % x", got)
	}
	subscriber := dial(t, b, connectPlain+"\x82\x0E\x00\x02\x00\x00\x08denied/b\x00"+
		"\x82\x0F\x00\x03\x00\x00\x09allowed/b\x00")
	next(t, subscriber, connack)
	for _, want := range []byte{notAuthorized, 0} {
		if got := next(t, subscriber, suback); got[len(got)-1] != want {
			t.Errorf("subscribing: SUBACK is % x, want the reason code 0x%02X", got, want)
		}
	}
}
