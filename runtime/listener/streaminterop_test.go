package listener_test

import (
	"bytes"
	"crypto/x509"
	"crypto/x509/pkix"
	"io"
	"net"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/listener"
	"github.com/exgate/exgate/runtime/listener/listenertest"
)

// converse has a program send a line, waits until it shows the answer, and ends its input. It returns all that the
// program said.
func converse(t *testing.T, line, answer, program string, args ...string) string {
	t.Helper()
	return converseIn(t, []exchange{{line, answer}}, program, args...)
}

// exchange is the input of a program and its expected output.
type exchange struct{ line, answer string }

// converseIn has several exchanges, one after the other.
func converseIn(t *testing.T, exchanges []exchange, program string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program, args...)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	said, out := io.Pipe()
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		_ = cmd.Wait()
		_ = out.Close()
		close(ended)
	}()
	hang := time.AfterFunc(20*time.Second, func() { _ = cmd.Process.Kill() })
	var all bytes.Buffer
	for _, e := range exchanges {
		_, _ = io.WriteString(in, e.line)
		for err := error(nil); err == nil && !strings.Contains(all.String(), e.answer); {
			_, err = io.CopyN(&all, said, 1)
		}
	}
	_ = in.Close()
	_, _ = io.Copy(&all, said)
	<-ended
	hang.Stop()
	return all.String()
}

// shout is a handler that answers with capitals, which no program shows by itself.
func shout(a gateway.ConnectionAdapter, b []byte) { a.Send(bytes.ToUpper(b)) }

const (
	asked    = "hello from a tool\n"
	answered = "HELLO FROM A TOOL\n"
)

func TestOpenSSLClient(t *testing.T) {
	openssl := listenertest.Tool(t, "openssl", "openssl")
	ca := listenertest.NewIssuer(t)
	for _, version := range []string{"-tls1_2", "-tls1_3"} {
		s := serveTLS(t, tlsOf(t, ca, "server"), shout, gateway.Limits{})
		out := converse(t, asked, answered, openssl, "s_client", "-connect", s.addr, version, "-CAfile", ca.File,
			"-verify_return_error", "-quiet", "-no_ign_eof")
		if !strings.Contains(out, answered) {
			t.Errorf("%s: %s", version, out)
		}
		if r := <-s.Closed; !r.Is(gateway.ReasonSSLClosed) {
			t.Errorf("%s: closed with %v", version, r)
		}
	}
}

// Keys may be changed by either side; the answer to a request for it is one more thing that is written while reading.
func TestOpenSSLKeyUpdate(t *testing.T) {
	openssl := listenertest.Tool(t, "openssl", "openssl")
	ca := listenertest.NewIssuer(t)
	s := serveTLS(t, tlsOf(t, ca, "server"), shout, gateway.Limits{})
	out := converseIn(t, []exchange{{asked, answered}, {"K\n", "KEYUPDATE"}, {"hello again\n", "HELLO AGAIN\n"}},
		openssl, "s_client", "-connect", s.addr, "-tls1_3", "-CAfile", ca.File)
	if !strings.Contains(out, "HELLO AGAIN\n") {
		t.Errorf("%s", out)
	}
}

func TestOpenSSLClientCertificates(t *testing.T) {
	openssl := listenertest.Tool(t, "openssl", "openssl")
	ca, stranger := listenertest.NewIssuer(t), listenertest.NewIssuer(t)
	cfg := tlsOf(t, ca, "server")
	cfg.CAFile, cfg.Verify, cfg.FailIfNoCert = ca.File, "peer", true
	template := func() *x509.Certificate {
		return &x509.Certificate{
			Subject:     pkix.Name{CommonName: "pump 7", Organization: []string{"Example"}},
			ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
		}
	}
	goodCert, goodKey := ca.Issue(t, "good", template())
	wrongCert, wrongKey := stranger.Issue(t, "wrong", template())
	for _, version := range []string{"-tls1_2", "-tls1_3"} {
		for name, c := range map[string]struct {
			args []string
			says string
		}{
			"good":    {[]string{"-cert", goodCert, "-key", goodKey}, answered},
			"missing": {nil, "alert"},
			"wrong":   {[]string{"-cert", wrongCert, "-key", wrongKey}, "alert"},
		} {
			t.Run(name+version, func(t *testing.T) {
				s := serveTLS(t, cfg, shout, gateway.Limits{})
				args := append([]string{
					"s_client", "-connect", s.addr, version, "-CAfile", ca.File, "-quiet",
					"-no_ign_eof",
				}, c.args...)
				if out := converse(t, asked, answered, openssl, args...); !strings.Contains(out, c.says) {
					t.Errorf("%s", out)
				}
				if name != "good" {
					return
				}
				if info := <-s.Info; info.PeerCert == nil || info.PeerCert.DistinguishedName != "CN=pump 7,O=Example" {
					t.Errorf("certificate %+v", info.PeerCert)
				}
			})
		}
	}
}

func TestGnuTLSClient(t *testing.T) {
	gnutls := listenertest.Tool(t, "gnutls-cli", "gnutls-bin")
	ca := listenertest.NewIssuer(t)
	s := serveTLS(t, tlsOf(t, ca, "server"), shout, gateway.Limits{})
	host, port, _ := net.SplitHostPort(s.addr)
	out := converse(t, asked, answered, gnutls, "--x509cafile", ca.File, "--verify-hostname", "localhost", "-p", port,
		host)
	if !strings.Contains(out, answered) {
		t.Errorf("%s", out)
	}
}

func TestSocatUnix(t *testing.T) {
	socat := listenertest.Tool(t, "socat", "socat")
	path := filepath.Join(t.TempDir(), "s")
	serveStream(t, listener.TCPConfig{Bind: "unix:" + path}, shout, gateway.Limits{})
	if out := converse(t, asked, answered, socat, "-", "UNIX-CONNECT:"+path); out != answered {
		t.Errorf("%s", out)
	}
}

func TestSocatProxyHeader(t *testing.T) {
	socat := listenertest.Tool(t, "socat", "socat")
	s := serveStream(t, listener.TCPConfig{Proxy: proxied("127.0.0.1/32")}, shout, gateway.Limits{})
	header := "PROXY TCP4 203.0.113.7 198.51.100.1 4711 993\r\n"
	if out := converse(t, header+asked, answered, socat, "-", "TCP4:"+s.addr); out != answered {
		t.Errorf("%s", out)
	}
	if info := <-s.Info; info.Peer.String() != "203.0.113.7:4711" {
		t.Errorf("info %+v", info)
	}
}
