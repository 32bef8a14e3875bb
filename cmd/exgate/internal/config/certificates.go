package config

import (
	"crypto/tls"
	"crypto/x509"

	"github.com/exgate/exgate/internal/boundedfile"
	"github.com/exgate/exgate/runtime/listener"
)

// certificate checks the certificate of the listener key.
func (r rules) certificate(key string, t TLS) {
	if t.Cert == "" || t.Key == "" {
		if !r.broken(key) {
			r.problems.add(r.cfg.origins.of(key+".type"), key, "needs tls.cert and tls.key, the PEM files of its certificate and private key")
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

// authority checks who signs the certificates of devices.
func (r rules) authority(key string, t TLS) {
	switch {
	case t.Verify == "peer" && t.CA == "":
		r.problem(key+".verify", "peer needs ca, the PEM file of who signs the certificates of devices")
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
		r.problem(key, "%s holds no certificate in PEM form", name)
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
	if err := (listener.DTLSConfig{PSK: listener.PSKConfig{IdentityHint: p.IdentityHint, File: p.File}}).Check(); err != nil {
		r.problem(key+".file", "%v", err)
	}
}

// ciphers checks the names that the library of the listener's type knows.
func (r rules) ciphers(key string, l Listener) {
	t := l.TLS
	if len(t.Ciphers) == 0 || r.broken(key+".tls") || r.broken(key+".psk") {
		return
	}
	var err error
	if l.Kind() == "tls" {
		err = listener.TLSConfig{CertFile: t.Cert, KeyFile: t.Key, MinVersion: t.MinVersion, MaxVersion: t.MaxVersion, Ciphers: t.Ciphers}.Check()
	} else {
		err = listener.DTLSConfig{CertFile: t.Cert, KeyFile: t.Key, PSK: listener.PSKConfig{File: l.PSK.File}, Ciphers: t.Ciphers}.Check()
	}
	if err != nil {
		r.problem(key+".tls.ciphers", "%v", err)
	}
}
