package listener_test

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

	"github.com/exgate/exgate/runtime/listener"
)

// issuer signs certificates for a test.
type issuer struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	file string
	dir  string
}

func newIssuer(t testing.TB) *issuer {
	t.Helper()
	ca := &issuer{dir: t.TempDir()}
	template := &x509.Certificate{
		Subject: pkix.Name{CommonName: "Test CA"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	ca.file, _ = ca.issue(t, "ca", template)
	return ca
}

// issue writes a certificate and its key to files named name.
func (ca *issuer) issue(t testing.TB, name string, template *x509.Certificate) (certFile, keyFile string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template.SerialNumber, _ = rand.Int(rand.Reader, big.NewInt(1<<62))
	template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
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
	certFile, keyFile = filepath.Join(ca.dir, name+".crt"), filepath.Join(ca.dir, name+".key")
	replaceFile(t, certFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	replaceFile(t, keyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}))
	return certFile, keyFile
}

func (ca *issuer) server(t testing.TB, name string) listener.TLSConfig {
	t.Helper()
	cert, key := ca.issueServer(t, name)
	return listener.TLSConfig{CertFile: cert, KeyFile: key}
}

func (ca *issuer) dtls(t testing.TB) listener.DTLSConfig {
	t.Helper()
	cert, key := ca.issueServer(t, "gateway")
	return listener.DTLSConfig{CertFile: cert, KeyFile: key}
}

func (ca *issuer) issueServer(t testing.TB, name string) (certFile, keyFile string) {
	t.Helper()
	return ca.issue(t, name, &x509.Certificate{
		Subject: pkix.Name{CommonName: name}, DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	})
}

func (ca *issuer) issueDevice(t testing.TB, subject pkix.Name) (certFile, keyFile string) {
	t.Helper()
	return ca.issue(t, "device", &x509.Certificate{Subject: subject, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
}

func (ca *issuer) device(t testing.TB, subject pkix.Name) tls.Certificate {
	t.Helper()
	cert, key := ca.issueDevice(t, subject)
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	return pair
}

func (ca *issuer) client(certificates ...tls.Certificate) *tls.Config {
	roots := x509.NewCertPool()
	roots.AddCert(ca.cert)
	return &tls.Config{RootCAs: roots, Certificates: certificates, ServerName: "localhost"}
}

// replaceFile puts the whole of a file in place at once.
func replaceFile(t testing.TB, path string, content []byte) {
	t.Helper()
	if err := errors.Join(os.WriteFile(path+".new", content, 0o600), os.Rename(path+".new", path)); err != nil {
		t.Fatal(err)
	}
}
