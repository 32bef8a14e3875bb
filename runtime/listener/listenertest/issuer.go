package listenertest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// Issuer signs certificates for a test.
type Issuer struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	File string
	Dir  string
}

// NewIssuer creates a certificate authority with files in a folder of the test.
func NewIssuer(t testing.TB) *Issuer {
	t.Helper()
	ca := &Issuer{Dir: t.TempDir()}
	template := &x509.Certificate{
		Subject: pkix.Name{CommonName: "Test CA"}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign,
	}
	ca.File, _ = ca.Issue(t, "ca", template)
	return ca
}

// Issue writes a certificate and its key to files named name. A template without times is valid for an hour.
func (ca *Issuer) Issue(t testing.TB, name string, template *x509.Certificate) (certFile, keyFile string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template.SerialNumber, _ = rand.Int(rand.Reader, big.NewInt(1<<62))
	if template.NotAfter.IsZero() {
		template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	}
	parent, signer := ca.cert, ca.key
	if parent == nil {
		parent, signer = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	if ca.cert == nil {
		ca.cert, _ = x509.ParseCertificate(der)
		ca.key = key
	}
	pkcs8, _ := x509.MarshalPKCS8PrivateKey(key)
	certFile, keyFile = filepath.Join(ca.Dir, name+".crt"), filepath.Join(ca.Dir, name+".key")
	ReplaceFile(t, certFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	ReplaceFile(t, keyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}))
	return certFile, keyFile
}

// IssueServer issues a certificate for localhost.
func (ca *Issuer) IssueServer(t testing.TB, name string) (certFile, keyFile string) {
	t.Helper()
	return ca.Issue(t, name, &x509.Certificate{
		Subject: pkix.Name{CommonName: name}, DNSNames: []string{"localhost"},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	})
}

// IssueDevice issues a client certificate.
func (ca *Issuer) IssueDevice(t testing.TB, subject pkix.Name) (certFile, keyFile string) {
	t.Helper()
	return ca.Issue(t, "device", &x509.Certificate{
		Subject:     subject,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})
}

// Device is IssueDevice, loaded.
func (ca *Issuer) Device(t testing.TB, subject pkix.Name) tls.Certificate {
	t.Helper()
	cert, key := ca.IssueDevice(t, subject)
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	return pair
}

// Client is the configuration of a client that trusts ca.
func (ca *Issuer) Client(certificates ...tls.Certificate) *tls.Config {
	roots := x509.NewCertPool()
	roots.AddCert(ca.cert)
	return &tls.Config{RootCAs: roots, Certificates: certificates, ServerName: "localhost"}
}

// ReplaceFile puts the whole of a file in place at once.
func ReplaceFile(t testing.TB, path string, content []byte) {
	t.Helper()
	if err := errors.Join(os.WriteFile(path+".new", content, 0o600), os.Rename(path+".new", path)); err != nil {
		t.Fatal(err)
	}
}
