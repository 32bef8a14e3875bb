package doctor

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"time"

	"github.com/exgate/exgate/internal/boundedfile"
)

// soon is how long before a certificate expires the doctor warns.
const soon = 30 * 24 * time.Hour

// certificateFile is a PEM file named in the configuration.
type certificateFile struct {
	setting, path string
	authorities   bool // any of the certificates may be used, not only the first
}

func (c *checkup) certificateFiles() []certificateFile {
	a, u := c.cfg.Adapter, c.cfg.Upstream
	files := []certificateFile{
		{"adapter.tls.cert", a.TLS.Cert, false},
		{"adapter.tls.client_ca", a.TLS.ClientCA, true},
		{"adapter.peers.tls.cert", a.Peers.TLS.Cert, false},
		{"adapter.peers.tls.ca", a.Peers.TLS.CA, true},
		{"upstream.tls.cert", u.TLS.Cert, false},
		{"upstream.tls.ca", u.TLS.CA, true},
		{"upstream.authentication.http.tls.cert", u.Authentication.HTTP.TLS.Cert, false},
		{"upstream.authentication.http.tls.ca", u.Authentication.HTTP.TLS.CA, true},
	}
	for _, name := range c.cfg.Names() {
		l, key := c.cfg.Listeners[name], "listeners."+name
		files = append(files,
			certificateFile{key + ".tls.cert", l.TLS.Cert, false},
			certificateFile{key + ".tls.ca", l.TLS.CA, true},
			certificateFile{key + ".handler.tls.cert", l.Handler.TLS.Cert, false},
			certificateFile{key + ".handler.tls.ca", l.Handler.TLS.CA, true},
		)
	}
	return files
}

// certificates checks how long the certificates in files are valid.
func (c *checkup) certificates(context.Context) []Finding {
	var findings []Finding
	for _, f := range c.certificateFiles() {
		if f.path == "" {
			continue
		}
		certs, err := readCertificates(f.path)
		if err != nil || len(certs) == 0 {
			findings = append(findings, c.problem(f.setting, "%s contains no readable certificate", f.path))
			continue
		}
		findings = append(findings, c.validity(f, certs))
	}
	return findings
}

// validity checks the relevant certificate of a file: the first one of a server, the one that expires last of
// authorities.
func (c *checkup) validity(f certificateFile, certs []*x509.Certificate) Finding {
	counts := certs[0]
	for _, cert := range certs {
		if f.authorities && cert.NotAfter.After(counts.NotAfter) {
			counts = cert
		}
	}
	switch now := time.Now(); {
	case now.After(counts.NotAfter) || now.Before(counts.NotBefore):
		return c.problem(f.setting, "the certificate in %s %s: renew it", f.path, outOfDate(counts))
	case now.Add(soon).After(counts.NotAfter):
		return c.warning(f.setting, "the certificate in %s expires on %s: renew it soon", f.path,
			day(counts.NotAfter))
	}
	return c.well(f.setting, "the certificate in %s is valid until %s", f.path, day(counts.NotAfter))
}

// maxPEM bounds a file of certificates, in bytes.
const maxPEM = 16 << 20

func readCertificates(path string) (certs []*x509.Certificate, err error) {
	text, err := boundedfile.Read(path, maxPEM)
	if err != nil {
		return nil, err
	}
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			continue
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, err
		}
		certs = append(certs, cert)
	}
	return certs, nil
}
