package mosquitto

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"testing"
	"time"
)

const (
	caCert     = "ca.pem"
	serverCert = "server.pem"
	serverKey  = "server.key"
)

// authority is the certificate authority of one Broker.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func (b *Broker) writeCertificates(t testing.TB) {
	t.Helper()
	key := newKey(t)
	template := newTemplate("exgate test CA")
	template.IsCA, template.BasicConstraintsValid, template.KeyUsage = true, true, x509.KeyUsageCertSign
	b.authority = &authority{template, key}
	der := b.authority.sign(t, template, key)
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	b.authority.cert = cert
	writeFile(t, b.CAFile(), pemOf("CERTIFICATE", der))
	server := newTemplate("localhost")
	server.DNSNames, server.IPAddresses = []string{"localhost"}, []net.IP{net.IPv4(127, 0, 0, 1)}
	server.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	b.issue(t, server, b.path(serverCert), b.path(serverKey))
}

// CAFile returns the path of the CA certificate of the TLS listeners, in PEM form. It requires Options.TLS.
func (b *Broker) CAFile() string {
	if b.authority == nil {
		panic("mosquitto: the options have no TLS")
	}
	return b.path(caCert)
}

// TLSConfig returns a configuration that trusts only the CA of the TLS listeners. It requires Options.TLS.
func (b *Broker) TLSConfig() *tls.Config {
	if b.authority == nil {
		panic("mosquitto: the options have no TLS")
	}
	roots := x509.NewCertPool()
	roots.AddCert(b.authority.cert)
	return &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
}

// ClientCertificate creates a certificate that the TLS listeners accept, with a common name, and writes it and its key
// in PEM form. It requires Options.TLS.
func (b *Broker) ClientCertificate(t testing.TB, commonName string) (certFile, keyFile string) {
	t.Helper()
	if b.authority == nil {
		t.Fatal("mosquitto: the options have no TLS")
	}
	client := newTemplate(commonName)
	client.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	name := b.path(rand.Text())
	b.issue(t, client, name+".pem", name+".key")
	return name + ".pem", name + ".key"
}

func (b *Broker) issue(t testing.TB, template *x509.Certificate, certFile, keyFile string) {
	t.Helper()
	key := newKey(t)
	writeFile(t, certFile, pemOf("CERTIFICATE", b.authority.sign(t, template, key)))
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, keyFile, pemOf("PRIVATE KEY", der))
}

func (a *authority) sign(t testing.TB, template *x509.Certificate, key *ecdsa.PrivateKey) []byte {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, key.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// newTemplate returns a certificate that is valid for an hour.
func newTemplate(commonName string) *x509.Certificate {
	return &x509.Certificate{
		SerialNumber: new(big.Int).SetBytes([]byte(rand.Text()[:12])), Subject: pkix.Name{CommonName: commonName},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func pemOf(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}
