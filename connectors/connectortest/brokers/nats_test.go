package brokers

import (
	"io"
	"testing"
)

// TestNATSVersions expects NATS to accept a CONNECT of MQTT 3.1.1, and to answer one of MQTT 5 as MQTT 3.1.1, section
// 3.1.2.2, requires: CONNACK with return code 0x01 (unacceptable protocol version), and then the end of the connection.
func TestNATSVersions(t *testing.T) {
	b := StartNATS(t)
	if got := next(t, dial(t, b, "\x10\x11\x00\x04MQTT\x04\x02\x00\x3C\x00\x05plain"), connack); got != "\x00\x00" {
		t.Errorf("MQTT 3.1.1: CONNACK is % x", got)
	}
	if got, err := io.ReadAll(dial(t, b, connectPlain)); string(got) != "\x20\x02\x00\x01" || err != nil {
		t.Errorf("MQTT 5: got % x, %v", got, err)
	}
}
