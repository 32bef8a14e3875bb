package target

import (
	"fmt"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/exgate/exgate/runtime/gateway"
)

// advice is what a person should check.
func (t *Target) advice(s *status.Status, reason gateway.CloseReason) string {
	switch {
	case reason.Is(gateway.ReasonHandlerUnavailable):
		return unreachableAdvice(s.Message(), t.Secure)
	case reason.Is(gateway.ReasonHandlerTimeout):
		return fmt.Sprintf("that the handler answers each callback within %v, or raise its timeout", t.Timeout)
	case s.Code() == codes.Unimplemented:
		return t.Unimplemented
	case s.Code() == codes.ResourceExhausted:
		return "max_message_size, and the handler's own limit for the size of a received message"
	default:
		return "the handler's own log"
	}
}

// connectTrouble tells what to change from what gRPC and crypto/tls say, in this order.
var connectTrouble = []struct {
	said   string
	secure bool // it matters with TLS only
	check  string
}{
	{"first record does not look like a TLS handshake", true, "the handler speaks plain text: remove tls, or write its address as http://"},
	{"signed by unknown authority", true, "that tls.ca is the authority of the handler's certificate"},
	{"certificate is valid for", true, "that tls.server_name is a name in the handler's certificate"},
	{"IP SANs", true, "that tls.server_name is a name in the handler's certificate"},
	{"certificate is not valid for any names", true, "that tls.server_name is a name in the handler's certificate"},
	{"certificate has expired", true, "the handler's certificate, and the clock of this machine"},
	{"certificate", true, "that tls.cert and tls.key are a certificate that the handler trusts"},
	{"connection refused", false, "that the handler runs and listens on this address"},
	{"looking up", false, "that the name of the handler is right and that the resolver of this machine knows it"},
	{"connecting takes too long", false, "that the handler runs and that a firewall lets the gateway through"},
}

// unreachableAdvice is advice about a handler that cannot be reached.
func unreachableAdvice(said string, secure bool) string {
	for _, trouble := range connectTrouble {
		if strings.Contains(said, trouble.said) && (secure || !trouble.secure) {
			return trouble.check
		}
	}
	if secure {
		return "that the handler runs and listens on this address; if it asks for client certificates, that it trusts tls.cert and tls.key"
	}
	return "that the handler runs and listens on this address; if it has TLS, set tls or write its address as https://"
}
