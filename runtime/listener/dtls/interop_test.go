package dtls_test

import (
	"bufio"
	"context"
	"crypto/x509/pkix"
	"net"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/gateway/gatewaytest"
	"github.com/exgate/exgate/runtime/listener/dtls"
	"github.com/exgate/exgate/runtime/listener/listenertest"
)

// talk runs a client of another make, and reports whether a line that it sends comes back. said is what it printed.
func talk(t *testing.T, name string, args ...string) (echoed bool, said string) {
	t.Helper()
	program := listenertest.Tool(t, name, map[string]string{"gnutls-cli": "gnutls-bin", "openssl": "openssl"}[name])
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, args...)
	in, _ := cmd.StdinPipe()
	out, _ := cmd.StdoutPipe()
	cmd.Stderr = cmd.Stdout
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { _, _ = in.Write([]byte("hello exgate\n")) }()
	var all strings.Builder
	for lines := bufio.NewScanner(out); !echoed && lines.Scan(); {
		echoed = strings.Contains(lines.Text(), "HELLO EXGATE")
		all.WriteString(lines.Text() + "\n")
	}
	_ = in.Close()
	if !echoed {
		cancel()
	}
	_ = cmd.Wait()
	return echoed, all.String()
}

// loud answers in capitals: no client prints that by itself.
func loud(a gateway.ConnectionAdapter, b []byte) { a.Send([]byte(strings.ToUpper(string(b)))) }

func TestDTLSInterop(t *testing.T) {
	ca := listenertest.NewIssuer(t)
	cert, key := ca.IssueServer(t, "gateway")
	deviceCert, deviceKey := ca.IssueDevice(t, pkix.Name{CommonName: "meter-1"})
	keys := pskDTLS(t)
	mutual := dtls.Config{CertFile: cert, KeyFile: key, CAFile: ca.File, Verify: "peer", FailIfNoCert: true}
	both := dtls.Config{CertFile: cert, KeyFile: key, PSK: keys.PSK, ConnectionIDs: true}

	const openssl, gnutls = "s_client -dtls1_2 -connect ADDR", "--udp -p PORT 127.0.0.1"
	for name, tt := range map[string]struct {
		cfg    dtls.Config
		tool   string
		args   string
		served bool
	}{
		"openssl, certificate":     {both, "openssl", openssl + " -verify_return_error -CAfile " + ca.File, true},
		"openssl, small datagrams": {both, "openssl", openssl + " -mtu 512 -CAfile " + ca.File, true},
		"openssl, ChaCha20":        {both, "openssl", openssl + " -cipher ECDHE-ECDSA-CHACHA20-POLY1305", true},
		"openssl, CCM8":            {both, "openssl", openssl + " -cipher ECDHE-ECDSA-AES128-CCM8", true},
		"openssl, CBC":             {both, "openssl", openssl + " -cipher ECDHE-ECDSA-AES256-SHA", false},
		"openssl, PSK": {both, "openssl", openssl +
			" -psk_identity meter-1 -psk c0ffee -cipher PSK-AES128-GCM-SHA256", true},
		"openssl, PSK CCM8": {keys, "openssl", openssl +
			" -psk_identity meter-1 -psk c0ffee -cipher PSK-AES128-CCM8", true},
		"openssl, client certificate": {
			mutual, "openssl", openssl + " -cert " + deviceCert + " -key " + deviceKey,
			true,
		},
		"openssl, without certificate": {mutual, "openssl", openssl, false},
		"gnutls, certificate":          {both, "gnutls-cli", gnutls + " --x509cafile " + ca.File, true},
		"gnutls, PSK": {keys, "gnutls-cli", gnutls +
			" --pskusername meter-2 --pskkey 00112233445566778899aabbccddeeff --priority NORMAL:-KX-ALL:+PSK", true},
		"gnutls, client certificate": {
			mutual, "gnutls-cli", gnutls + " --x509cafile " + ca.File + " --x509certfile " + deviceCert +
				" --x509keyfile " + deviceKey, true,
		},
		"gnutls, without certificate": {mutual, "gnutls-cli", gnutls + " --x509cafile " + ca.File, false},
	} {
		t.Run(name, func(t *testing.T) {
			s := serveDTLS(t, tt.cfg, gateway.Limits{}, loud)
			_, port, _ := net.SplitHostPort(s.addr().String())
			args := strings.NewReplacer("ADDR", s.addr().String(), "PORT", port).Replace(tt.args)
			if echoed, said := talk(t, tt.tool, strings.Fields(args)...); echoed != tt.served {
				t.Errorf("served: %v\n%s", echoed, said)
			}
		})
	}
}

// A wrong key gets nowhere, whether its identity exists or not, and both look the same.
func TestDTLSInteropWrongPSK(t *testing.T) {
	cfg := pskDTLS(t)
	cfg.HandshakeTimeout = 300 * time.Millisecond
	s := serveDTLS(t, cfg, gateway.Limits{}, loud)
	for i, identity := range []string{"meter-1", "stranger"} {
		program := listenertest.Tool(t, "openssl", "openssl")
		ctx, cancel := context.WithCancel(t.Context())
		cmd := exec.CommandContext(ctx, program, "s_client", "-dtls1_2", "-connect", s.addr().String(), "-psk_identity",
			identity, "-psk", "01020304", "-cipher", "PSK-AES128-GCM-SHA256")
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		gatewaytest.Eventually(t, "the handshake to be given up",
			func() bool { return s.Count(t, "exgate_dtls_handshakes_total", "timeout") > float64(i) })
		cancel()
		_ = cmd.Wait()
	}
	if len(s.Info) != 0 {
		t.Error("a wrong key was let in")
	}
}
