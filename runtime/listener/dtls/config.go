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

// Config is a DTLS listener's. It needs a certificate, pre-shared keys, or both.
type Config struct {
	// Name is the listener's in metrics and logs. If zero, Bind.
	Name string
	// Bind is the address to listen on, as host:port; without a host, all addresses: replies then leave from the one
	// that the client asked.
	Bind string
	// Admission decides who may connect. If zero, every address may.
	Admission *admission.Admission
	// CertFile holds the certificate with its chain, KeyFile the private key, both in PEM form. They are read again
	// when they change. If zero, only pre-shared keys serve.
	CertFile, KeyFile string
	// CAFile holds the authorities of client certificates, in PEM form. It is read again when it changes. If zero,
	// Verify must be none.
	CAFile string
	// Verify is peer to ask clients for a certificate and check it, or none. If zero, none.
	Verify string
	// FailIfNoCert refuses clients without a certificate; it needs Verify to be peer. If zero, they are let in.
	FailIfNoCert bool
	// PSK says which pre-shared keys there are. If zero, none.
	PSK PSKConfig
	// Ciphers are the IANA names of the cipher suites that are allowed, the best first. If zero, those with an AEAD,
	// without ECDHE_PSK.
	Ciphers []string
	// ConnectionIDs lets clients change their address within a session (RFC 9146). If zero, they are off.
	ConnectionIDs bool
	// HandshakeTimeout is how long a client that has proved its address may take for its handshake. If zero, 10 s.
	HandshakeTimeout time.Duration
	// MaxHandshakes is how many such clients may be in their handshake; further ones take the place of the oldest. If
	// zero, 512.
	MaxHandshakes int
	// MaxUnverified is how many sources may have sent a first ClientHello without having proved their address yet; each
	// costs up to 60 KB for at most 2 s. While more than a quarter are there, a hello is taken when it comes again. If
	// zero, 1024.
	MaxUnverified int
	// MaxUnverifiedPerPrefix is the same for one IPv4 /24 or IPv6 /64. If zero, a quarter of MaxUnverified.
	MaxUnverifiedPerPrefix int
	// MaxPeers is how many client addresses there may be at once. If zero, 50,000.
	MaxPeers int
	// NewPeersPerSecond is how many addresses may be new each second. One second's worth may come at once. If zero,
	// 2,000.
	NewPeersPerSecond float64
	// NewPeersPerPrefix is the same for the addresses of one IPv4 /24 or IPv6 /64. If zero, an eighth of
	// NewPeersPerSecond.
	NewPeersPerPrefix float64
	// QueueDatagrams is how many datagrams of one session may wait for its handler; what comes above is dropped and
	// counted. If zero, 64.
	QueueDatagrams int
	// ReadBuffer is the size of the socket's receive buffer in bytes, as far as the kernel allows (net.core.rmem_max).
	// If zero, 4 MiB.
	ReadBuffer int
	// WriteBuffer is the same for sending (net.core.wmem_max). If zero, what the kernel gives.
	WriteBuffer int
	// Sockets opens the socket, or takes an inherited one. If zero, it is opened.
	Sockets *sockets.Sockets
	// Logger takes what goes wrong. If zero, slog.Default().
	Logger *slog.Logger
	// Metrics counts handshakes and drops. If zero, an unregistered set.
	Metrics *Metrics
	// UDPMetrics counts datagrams that were dropped before DTLS. If zero, an unregistered set.
	UDPMetrics *udp.Metrics
	// CertMetrics counts reloads of certificate files. If zero, an unregistered set.
	CertMetrics *certs.Metrics
}

// unverifiedTimeout is how long a source has to prove its address: a round trip, and the retransmission of one lost
// datagram.
const unverifiedTimeout = 2 * time.Second

// certificateWatch is how often the certificate files are looked at.
const certificateWatch = 2 * time.Second

func (c *Config) setDefaults() {
	c.Name = cmp.Or(c.Name, c.Bind)
	c.Verify = cmp.Or(c.Verify, "none")
	c.HandshakeTimeout = cmp.Or(c.HandshakeTimeout, 10*time.Second)
	c.MaxHandshakes = cmp.Or(c.MaxHandshakes, 512)
	c.MaxUnverified = cmp.Or(c.MaxUnverified, 1024)
	c.MaxUnverifiedPerPrefix = cmp.Or(c.MaxUnverifiedPerPrefix, max(c.MaxUnverified/4, 1))
	c.NewPeersPerSecond = cmp.Or(c.NewPeersPerSecond, 2000)
	c.NewPeersPerPrefix = cmp.Or(c.NewPeersPerPrefix, c.NewPeersPerSecond/8)
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if c.Metrics == nil {
		c.Metrics = NewMetrics(nil)
	}
	c.Logger = c.Logger.With("listener", c.Name)
}

// check finds what cannot be together, before any file is read.
func (c *Config) check() error {
	switch {
	case (c.CertFile == "") != (c.KeyFile == ""):
		return errors.New("a certificate needs its key and a key its certificate: set both files")
	case c.CertFile == "" && c.PSK.File == "":
		return errors.New("it needs a certificate or a file of pre-shared keys")
	case c.PSK.IdentityHint != "" && c.PSK.File == "":
		return errors.New("an identity hint means nothing without a file of pre-shared keys")
	case len(c.PSK.IdentityHint) > maxPSKIdentity:
		return fmt.Errorf("the identity hint is %d bytes long, it may have %d", len(c.PSK.IdentityHint), maxPSKIdentity)
	case c.Verify != "none" && c.Verify != "peer":
		return fmt.Errorf("verify is %q: it must be none or peer", c.Verify)
	case c.Verify == "peer" && (c.CAFile == "" || c.CertFile == ""):
		return errors.New("to verify clients takes a certificate of its own and a CA file")
	case c.FailIfNoCert && c.Verify != "peer":
		return errors.New("fail_if_no_cert means nothing unless verify is peer")
	case c.HandshakeTimeout < 0 || c.MaxHandshakes < 0 || c.MaxUnverified < 0 || c.MaxUnverifiedPerPrefix < 0 ||
		c.MaxPeers < 0 || c.QueueDatagrams < 0 ||
		c.NewPeersPerSecond < 0 || c.NewPeersPerPrefix < 0:
		return errors.New("a timeout, a maximum or a rate is negative")
	}
	return nil
}

// secrets are what sessions are secured with. Files that change take effect for new sessions.
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

// options makes what the library wants of the files' present state.
func (s secrets) options() (serverOptions, error) {
	var cert *tls.Certificate
	var clientCAs *x509.CertPool
	if s.certs != nil {
		loaded := s.certs.Current()
		cert, clientCAs = &loaded.Pair, loaded.CAs
	}
	return newServerOptions(s.cfg, cert, clientCAs, s.psk)
}
