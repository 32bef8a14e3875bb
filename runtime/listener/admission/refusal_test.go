package admission

import (
	"bytes"
	"log/slog"
	"net/netip"
	"strings"
	"testing"
)

// JSON logs contain the source and the reason as words, like text logs.
func TestRefusalInAJSONLog(t *testing.T) {
	var log bytes.Buffer
	access, err := ParseAccess([]string{"deny 192.0.2.7"})
	if err != nil {
		t.Fatal(err)
	}
	a := admission(t, Config{
		Listener: "meters", Access: access, Ban: BanConfig{Failures: 1},
		Logger: slog.New(slog.NewJSONHandler(&log, nil)),
	})
	a.Allowed(netip.MustParseAddr("192.0.2.7"))
	ticket, _ := a.Admit(netip.MustParseAddr("2001:db8::1"))
	ticket.Failed()
	ticket.Release()
	for _, want := range []string{
		`"reason":"access_denied","source":"192.0.2.7"`,
		`"source":"2001:db8::/64","failures":1,"within":"1m0s","duration":"10m0s"`,
	} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("no %s in %s", want, log.String())
		}
	}
}
