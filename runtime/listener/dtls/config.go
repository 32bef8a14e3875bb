package dtls

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/exgate/exgate/runtime/listener/admission"
	"github.com/exgate/exgate/runtime/listener/certs"
	"github.com/exgate/exgate/runtime/listener/sockets"
	"github.com/exgate/exgate/runtime/listener/udp"
)

// Config configures a DTLS listener. It needs a certificate, pre-shared keys, or both.
type Config struct {
	// Name identifies the listener in metrics and logs. If zero, Bind.
	Name string
	// Bind is the address to listen on, as host:port; without a host, all addresses; replies then leave from the
	// address that the client used.
	Bind string
	// Admission decides who may connect. If zero, every address may.
	Admission *admission.Admission
	// CertFile is the PEM file of the certificate and its chain, KeyFile that of the private key. They are reloaded
	// when they change. If zero, only pre-shared keys are accepted.
	CertFile, KeyFile string
	// CAFile is the PEM file of the authorities that sign client certificates. It is reloaded when it changes. If zero,
	// Verify must be none.
	CAFile string
	// Verify is none, or peer to request a client certificate and verify it. The default is none.
	Verify string
	// FailIfNoCert refuses clients without a certificate. It needs Verify to be peer. If zero, they are let in.
	FailIfNoCert bool
	// PSK configures pre-shared keys. The default is no keys.
	PSK PSKConfig
	// Ciphers lists the IANA names of the allowed cipher suites, the best first. If zero, the AEAD suites without
	// ECDHE_PSK.
	Ciphers []string
	// ConnectionIDs lets clients change their address within a session (RFC 9146). If zero, they are disabled.
	ConnectionIDs bool
	// HandshakeTimeout bounds the handshake of a client that has proved its address. If zero, 10 s.
	HandshakeTimeout time.Duration
	// MaxHandshakes bounds such handshakes; a further one evicts the oldest. If zero, 512.
	MaxHandshakes int
	// MaxPeers bounds the number of client addresses. If zero, 50,000.
	MaxPeers int
	// NewPeersPerSecond bounds the new addresses each second, and an eighth of them those of one IPv4 /24 or IPv6
	// /64. One second's allowance may come at once. If zero, 2,000.
	NewPeersPerSecond float64
	// QueueDatagrams bounds the datagrams of one session that wait for its handler; further ones are dropped and
	// counted. If zero, 64.
	QueueDatagrams int
	// ReadBuffer is the size of the socket's receive buffer in bytes, capped by the kernel (net.core.rmem_max). If
	// zero, 4 MiB.
	ReadBuffer int
	// WriteBuffer is the size of its send buffer in bytes, capped by the kernel (net.core.wmem_max). If zero, the
	// kernel's default.
	WriteBuffer int
	// Sockets opens the socket or takes an inherited one. If zero, it is opened.
	Sockets *sockets.Sockets
	// Logger logs errors. If zero, slog.Default().
	Logger *slog.Logger
	// Metrics counts handshakes and drops. If zero, an unregistered set.
	Metrics *Metrics
	// UDPMetrics counts datagrams that were dropped before DTLS. If zero, an unregistered set.
	UDPMetrics *udp.Metrics
	// CertMetrics counts reloads of certificate files. If zero, an unregistered set.
	CertMetrics *certs.Metrics

	maxUnverified int // replaces the constant; set by tests only
}

// maxUnverified is how many sources may have sent a first ClientHello without having proved their address yet, a
// quarter of them from one IPv4 /24 or IPv6 /64. Each costs up to 60 KB for at most unverifiedTimeout. While more than
// a quarter of the slots are taken, a hello counts only when it is sent again.
const maxUnverified = 1024

// unverifiedTimeout is how long a source has to prove its address: a round trip and the retransmission of one lost
// datagram.
const unverifiedTimeout = 2 * time.Second

// certificateWatch is how often the certificate files are checked.
const certificateWatch = 2 * time.Second

func (c *Config) setDefaults() {
	c.Name = cmp.Or(c.Name, c.Bind)
	c.Verify = cmp.Or(c.Verify, "none")
	c.HandshakeTimeout = cmp.Or(c.HandshakeTimeout, 10*time.Second)
	c.MaxHandshakes = cmp.Or(c.MaxHandshakes, 512)
	c.maxUnverified = cmp.Or(c.maxUnverified, maxUnverified)
	c.NewPeersPerSecond = cmp.Or(c.NewPeersPerSecond, 2000)
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if c.Metrics == nil {
		c.Metrics = NewMetrics(nil)
	}
	c.Logger = c.Logger.With("listener", c.Name)
}

// check reports invalid combinations of settings, before any file is read.
func (c *Config) check() error {
	switch {
	case (c.CertFile == "") != (c.KeyFile == ""):
		return errors.New("a certificate needs its key and a key its certificate: set both files")
	case c.CertFile == "" && c.PSK.File == "":
		return errors.New("set a certificate and its key, or a file of pre-shared keys")
	case c.PSK.IdentityHint != "" && c.PSK.File == "":
		return errors.New("the identity hint needs a file of pre-shared keys")
	case len(c.PSK.IdentityHint) > maxPSKIdentity:
		return fmt.Errorf("the identity hint is %d bytes long: at most %d", len(c.PSK.IdentityHint), maxPSKIdentity)
	case c.Verify != "none" && c.Verify != "peer":
		return fmt.Errorf("verify is %q: it must be none or peer", c.Verify)
	case c.Verify == "peer" && (c.CAFile == "" || c.CertFile == ""):
		return errors.New("verify: peer needs a certificate and a CA file")
	case c.FailIfNoCert && c.Verify != "peer":
		return errors.New("fail_if_no_cert needs verify: peer")
	case c.HandshakeTimeout < 0 || c.MaxHandshakes < 0 || c.MaxPeers < 0 || c.QueueDatagrams < 0 ||
		c.NewPeersPerSecond < 0:
		return errors.New("a timeout, a maximum or a rate is negative")
	}
	return nil
}

// secrets holds the certificate and the pre-shared keys. Changed files take effect for new sessions.
type secrets struct {
	cfg   *Config
	certs *certs.Files // nil without any
	psk   *pskKeys     // nil without any
}

func loadSecrets(cfg *Config) (s secrets, err error) {
	s.cfg = cfg
	if cfg.CertFile != "" {
		ca := cfg.CAFile
		if cfg.Verify == "none" {
			ca = ""
		}
		if s.certs, err = certs.Load(cfg.CertFile, cfg.KeyFile, ca, cfg.Logger, cfg.CertMetrics, cfg.Name); err != nil {
			return s, err
		}
	}
	if cfg.PSK.File != "" {
		s.psk, err = openPSK(cfg.PSK.File, cfg.Logger)
	}
	return s, err
}

// options makes the library's options from the current files.
func (s secrets) options() (serverOptions, error) {
	var cert *tls.Certificate
	var clientCAs *x509.CertPool
	if s.certs != nil {
		loaded := s.certs.Current()
		cert, clientCAs = &loaded.Pair, loaded.CAs
	}
	return newServerOptions(s.cfg, cert, clientCAs, s.psk)
}
