package connectortest

import (
	"strings"
	"testing"

	"github.com/exgate/exgate/runtime/gateway"
)

// badText is text that topics, client ids and usernames must not contain (MQTT 5, section 1.5.4).
var badText = []string{
	"\x00", "\x01", "\n", "\x7f", "\u0080", "\u009f", "\xff", "\xc3", "\xed\xa0\x80", "\ufdd0", "\ufdef", "\ufffe",
	"\uffff", "\U0001fffe", "\U0010ffff",
	strings.Repeat("x", 65536),
}

// testBadStrings expects a refusal for strings that would be truncated, or for which a broker would end the connection.
func (f *fixture) testBadStrings(t *testing.T) {
	s, _ := f.connect(t, unique("client"))
	for _, bad := range badText {
		wantCode(t, "publishing "+bad, Publish(t, s, "a/"+bad, 1, "x"), gateway.CodeParamsTypeError)
		wantCode(t, "subscribing "+bad, Subscribe(t, s, "a/"+bad, 1), gateway.CodeParamsTypeError)
		f.refuses(t, gateway.ClientInfo{ClientID: "id" + bad, Username: f.Username}, f.Password)
		f.refuses(t, gateway.ClientInfo{ClientID: unique("client"), Username: "user" + bad}, f.Password)
	}
	f.refuses(t, gateway.ClientInfo{ClientID: unique("client"), Username: "user"}, strings.Repeat("x", 65536))
	wantOK(t, "publishing after refusals", Publish(t, s, unique("topic"), 1, "x"))
}

func (f *fixture) refuses(t *testing.T, client gateway.ClientInfo, password string) {
	t.Helper()
	_, err := f.connector.Connect(t.Context(), gateway.Device{ClientInfo: client}, password, NewDevice())
	wantCode(t, "connecting as "+client.ClientID+", "+client.Username, refusal(t, err), gateway.CodeParamsTypeError)
}
