package certs_test

import (
	"bytes"
	"crypto/x509"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/exgate/exgate/runtime/listener/certs"
	"github.com/exgate/exgate/runtime/listener/listenertest"
)

// TestOutOfDate keeps a valid certificate if its file is replaced by one that is not, and takes what is valid again.
func TestOutOfDate(t *testing.T) {
	ca := listenertest.NewIssuer(t)
	cert, key := ca.IssueServer(t, "localhost")
	var logged bytes.Buffer
	files, err := certs.Load(cert, key, "", slog.New(slog.NewTextHandler(&logged, nil)), nil, "l")
	if err != nil {
		t.Fatal(err)
	}
	defer files.Close()
	replace := func(from, to time.Duration) {
		t.Helper()
		now := time.Now()
		newCert, newKey := ca.Issue(t, "next", &x509.Certificate{
			DNSNames: []string{"localhost"}, NotBefore: now.Add(from), NotAfter: now.Add(to),
		})
		for path, content := range map[string]string{cert: newCert, key: newKey} {
			text, err := os.ReadFile(content)
			if err != nil {
				t.Fatal(err)
			}
			listenertest.ReplaceFile(t, path, text)
		}
	}
	good := files.Current()
	for text, times := range map[string][2]time.Duration{
		"expired at": {-2 * time.Hour, -time.Hour}, "is not valid before": {time.Hour, 2 * time.Hour},
	} {
		replace(times[0], times[1])
		if files.Reload() || files.Current() != good || !strings.Contains(logged.String(), cert+" "+text) {
			t.Errorf("%s: %s", text, logged.String())
		}
	}
	replace(-time.Hour, time.Hour)
	if !files.Reload() || files.Current() == good {
		t.Error(logged.String())
	}
}
