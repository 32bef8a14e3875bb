package config

import (
	"crypto/tls"
	"crypto/x509"
	"time"

	"github.com/exgate/exgate/internal/boundedfile"
	"github.com/exgate/exgate/runtime/listener"
	"github.com/exgate/exgate/runtime/listener/dtls"
)

// TLS holds the certificate of a tls, wss or dtls listener, and what it requires of devices.
type TLS struct {
	Cert             string        `koanf:"cert" path:"file"`
	Key              string        `koanf:"key" path:"file"`
	CA               string        `koanf:"ca" path:"file"`
	Verify           string        `koanf:"verify" oneof:"none peer"`
	FailIfNoCert     bool          `koanf:"fail_if_no_cert"`
	MinVersion       string        `koanf:"min_version" oneof:"1.0 1.1 1.2 1.3"`
	MaxVersion       string        `koanf:"max_version" oneof:"1.0 1.1 1.2 1.3"`
	Ciphers          []string      `koanf:"ciphers"`
	ConnectionIDs    bool          `koanf:"connection_ids"`
	HandshakeTimeout time.Duration `koanf:"handshake_timeout"`
	MaxHandshakes    int           `koanf:"max_handshakes" min:"1"`
}

// PSK holds the pre-shared keys of a dtls listener.
type PSK struct {
	IdentityHint string `koanf:"identity_hint"`
	File         string `koanf:"file" path:"file"`
}

// ClientTLS says how the gateway, as a client, verifies a server and authenticates itself. A section without settings
// uses the certificate authorities of the system.
type ClientTLS struct {
	CA         string `koanf:"ca" path:"file"`
	Cert       string `koanf:"cert" path:"file"`
	Key        string `koanf:"key" path:"file"`
	ServerName string `koanf:"server_name"`
}

// certificate checks the certificate of the listener key.
func (r rules) certificate(key string, t TLS) {
	if t.Cert == "" || t.Key == "" {
		if !r.broken(key) {
			r.problems.add(r.cfg.origins.of(key+".type"), key,
				"needs tls.cert and tls.key, the PEM files of its certificate and private key")
		}
		return
	}
	key += ".tls"
	r.file(key+".cert", t.Cert)
	r.file(key+".key", t.Key)
	r.file(key+".ca", t.CA)
	if !r.broken(key) {
		r.pair(key, t.Cert, t.Key)
		r.authority(key, t)
		r.versions(key, t)
	}
}

// pair checks that the certificate and the private key of the section key belong together.
func (r rules) pair(key, cert, private string) {
	certPEM, err := boundedfile.Read(cert, maxPEM)
	var keyPEM []byte
	if err == nil {
		keyPEM, err = boundedfile.Read(private, maxPEM)
	}
	if err == nil {
		_, err = tls.X509KeyPair(certPEM, keyPEM)
	}
	if err != nil {
		r.problem(key+".cert", "%s with the key %s: %v", cert, private, cause(err))
	}
}

// authority checks the authority that signs the certificates of devices.
func (r rules) authority(key string, t TLS) {
	switch {
	case t.Verify == "peer" && t.CA == "":
		r.problem(key+".verify", "peer needs ca, the PEM file of the authority that signs device certificates")
	case t.FailIfNoCert && t.Verify != "peer":
		r.problem(key+".fail_if_no_cert", "needs verify: peer")
	}
	r.certificates(key+".ca", t.CA)
}

// maxPEM bounds a file of certificates, in bytes.
const maxPEM = 16 << 20

// certificates checks that a file, if one is named, holds certificates.
func (r rules) certificates(key, name string) {
	if name == "" || r.broken(key) {
		return
	}
	pem, err := boundedfile.Read(name, maxPEM)
	if err != nil {
		r.problem(key, "%s: %v", name, cause(err))
	} else if !x509.NewCertPool().AppendCertsFromPEM(pem) {
		r.problem(key, "%s contains no PEM certificate", name)
	}
}

func (r rules) versions(key string, t TLS) {
	if t.MinVersion != "" && t.MaxVersion != "" && t.MinVersion > t.MaxVersion {
		r.problem(key+".max_version", "is below min_version")
	}
}

// keys checks the keys shared with devices.
func (r rules) keys(key string, p PSK) {
	if p.File == "" {
		if !r.broken(key) {
			r.problem(key, "needs file, the keys shared with devices")
		}
		return
	}
	r.file(key+".file", p.File)
	if r.broken(key) {
		return
	}
	psk := dtls.PSKConfig{IdentityHint: p.IdentityHint, File: p.File}
	if err := (dtls.Config{PSK: psk}).Check(); err != nil {
		r.problem(key+".file", "%v", err)
	}
}

// ciphers checks that the library for the listener's type knows the names.
func (r rules) ciphers(key string, l Listener) {
	t := l.TLS
	if len(t.Ciphers) == 0 || r.broken(key+".tls") || r.broken(key+".psk") {
		return
	}
	var err error
	if l.Kind() != "dtls" {
		err = listener.TLSConfig{
			CertFile: t.Cert, KeyFile: t.Key, MinVersion: t.MinVersion, MaxVersion: t.MaxVersion,
			Ciphers: t.Ciphers,
		}.Check()
	} else {
		err = dtls.Config{
			CertFile: t.Cert, KeyFile: t.Key, PSK: dtls.PSKConfig{File: l.PSK.File},
			Ciphers: t.Ciphers,
		}.Check()
	}
	if err != nil {
		r.problem(key+".tls.ciphers", "%v", err)
	}
}

// clientTLS checks the certificates for a connection to a server.
func (r rules) clientTLS(key string, t ClientTLS) {
	r.file(key+".ca", t.CA)
	r.file(key+".cert", t.Cert)
	r.file(key+".key", t.Key)
	switch {
	case r.broken(key):
	case (t.Cert == "") != (t.Key == ""):
		r.problem(key, "needs cert and key, or neither")
	case t.Cert != "":
		r.pair(key, t.Cert, t.Key)
	}
	r.certificates(key+".ca", t.CA)
}
