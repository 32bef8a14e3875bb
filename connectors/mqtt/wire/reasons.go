package wire

import (
	"errors"
	"fmt"
	"slices"

	"github.com/eclipse/paho.golang/packets"

	"github.com/exgate/exgate/runtime/gateway"
)

// reasonNames are the names of the reason codes in MQTT 5, section 2.4.
var reasonNames = map[byte]string{
	0x80: "unspecified error", 0x81: "malformed packet", 0x82: "protocol error", 0x83: "implementation specific error",
	0x84: "unsupported protocol version", 0x85: "client identifier not valid", 0x86: "bad user name or password",
	0x87: "not authorized", 0x88: "server unavailable", 0x89: "server busy", 0x8A: "banned",
	0x8B: "server shutting down",
	0x8C: "bad authentication method", 0x8D: "keep alive timeout", 0x8E: "session taken over",
	0x8F: "topic filter invalid",
	0x90: "topic name invalid", 0x91: "packet identifier in use", 0x92: "packet identifier not found",
	0x93: "receive maximum exceeded",
	0x94: "topic alias invalid", 0x95: "packet too large", 0x96: "message rate too high", 0x97: "quota exceeded",
	0x98: "administrative action", 0x99: "payload format invalid", 0x9A: "retain not supported",
	0x9B: "QoS not supported",
	0x9C: "use another server", 0x9D: "server moved", 0x9E: "shared subscriptions not supported",
	0x9F: "connection rate exceeded",
	0xA0: "maximum connect time", 0xA1: "subscription identifiers not supported",
	0xA2: "wildcard subscriptions not supported",
}

// ReasonName returns the name and the number of a reason code.
func ReasonName(code byte) string {
	if name, ok := reasonNames[code]; ok {
		return fmt.Sprintf("%s (0x%02X)", name, code)
	}
	return fmt.Sprintf("reason code 0x%02X", code)
}

// CodeOf returns the result code for a reason code.
func CodeOf(reason byte) gateway.ResultCode {
	switch reason {
	case 0x85, 0x86, 0x87, 0x8A, 0x8C:
		return gateway.CodePermissionDeny
	case 0x8F, 0x90:
		return gateway.CodeParamsTypeError
	case 0x95, 0x96, 0x97:
		return gateway.CodeLimit
	case 0x9B, 0x9E, 0xA2:
		return gateway.CodeUnsupported
	}
	return gateway.CodeUnknown
}

// ResultOf returns the result of a call whose acknowledgement has the reason code. 0x10 (no matching subscribers), 0x11
// (no subscription existed) and the granted QoS are success.
func ResultOf(what, topic string, reason byte) gateway.Result {
	if reason < 0x80 {
		return gateway.OK
	}
	return gateway.Refuse(CodeOf(reason), "the broker refused to %s %q: %s", what, topic, ReasonName(reason))
}

// IsElsewhere reports whether another server of the broker may accept the client.
func IsElsewhere(err error) bool {
	var refused *RefusalError
	return errors.As(err, &refused) && slices.Contains([]byte{0x88, 0x89, 0x8B, 0x9C, 0x9D}, refused.reason)
}

// RefusalError is a CONNACK with an error code.
type RefusalError struct {
	gateway.ResultError
	reason byte
}

// IsAboutWill reports whether the broker may accept the client with another will.
func (e *RefusalError) IsAboutWill() bool {
	return e.reason == packets.ConnackRetainNotSupported || e.reason == packets.ConnackQoSNotSupported
}

func (e *RefusalError) Unwrap() error { return &e.ResultError }

// Refusal returns the error for a CONNACK with an error code.
func Refusal(broker string, reason byte) error {
	if reason == packets.ConnackUnsupportedProtocolVersion {
		return OldBroker(broker)
	}
	result := gateway.Refuse(CodeOf(reason), "the broker refused the client: %s", ReasonName(reason))
	return &RefusalError{gateway.ResultError{Result: result}, reason}
}

// OldBroker returns the error for a broker that closed the connection instead of answering CONNECT.
func OldBroker(broker string) error {
	return fmt.Errorf("the broker %s closed the connection instead of answering CONNECT: exgate speaks MQTT 5, and "+
		"the broker may know only "+
		"MQTT 3.1.1 (upstream.url)", broker)
}
