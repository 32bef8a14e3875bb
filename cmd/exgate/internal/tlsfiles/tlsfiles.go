package tlsfiles

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"sync/atomic"

	"github.com/exgate/exgate/cmd/exgate/internal/config"
	"github.com/exgate/exgate/internal/boundedfile"
)

// Client returns the TLS configuration for connections to a server. Errors name the file.
func Client(of config.ClientTLS) (*tls.Config, error) {
	cfg := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: of.ServerName}
	var err error
	if of.CA != "" {
		if cfg.RootCAs, err = authorities(of.CA); err != nil {
			return nil, err
		}
	}
	if of.Cert == "" {
		return cfg, nil
	}
	p, err := load(of.Cert, of.Key)
	if err != nil {
		return nil, err
	}
	cfg.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return p.current(), nil }
	return cfg, nil
}

// Server returns the TLS configuration of the adapter. Errors name the file.
func Server(of config.AdapterTLS) (*tls.Config, error) {
	p, err := load(of.Cert, of.Key)
	if err != nil {
		return nil, err
	}
	cfg := &tls.Config{
		MinVersion:     tls.VersionTLS12,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return p.current(), nil },
	}
	if of.ClientCA == "" {
		return cfg, nil
	}
	cfg.ClientAuth = tls.RequireAndVerifyClientCert
	if cfg.ClientCAs, err = authorities(of.ClientCA); err != nil {
		return nil, err
	}
	return cfg, nil
}

// maxFile bounds each file, in bytes.
const maxFile = 16 << 20

func authorities(file string) (*x509.CertPool, error) {
	pem, err := boundedfile.Read(file, maxFile)
	if err != nil {
		return nil, fmt.Errorf("reading certificate authorities: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("reading certificate authorities: %s contains no PEM certificate", file)
	}
	return pool, nil
}

// pair is a certificate and its key in files.
type pair struct {
	cert, key string
	last      atomic.Pointer[tls.Certificate]
}

func load(cert, key string) (*pair, error) {
	p := &pair{cert: cert, key: key}
	loaded, err := p.read()
	if err != nil {
		return nil, fmt.Errorf("reading the certificate %s with the key %s: %w", cert, key, err)
	}
	p.last.Store(&loaded)
	return p, nil
}

// current returns the certificate in the files, or the last good one.
func (p *pair) current() *tls.Certificate {
	if loaded, err := p.read(); err == nil {
		p.last.Store(&loaded)
	}
	return p.last.Load()
}

func (p *pair) read() (tls.Certificate, error) {
	cert, err := boundedfile.Read(p.cert, maxFile)
	if err != nil {
		return tls.Certificate{}, err
	}
	key, err := boundedfile.Read(p.key, maxFile)
	if err != nil {
		return tls.Certificate{}, err
	}
	return tls.X509KeyPair(cert, key)
}
