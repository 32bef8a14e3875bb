package remote_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"net"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	"github.com/exgate/exgate/proto/exproto"
	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/remote"
)

// certificate returns a self-signed certificate for 127.0.0.1 and a pool that trusts it.
func certificate(t *testing.T) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "handler"},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, NotAfter: time.Now().Add(time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	must(t, err)
	leaf, err := x509.ParseCertificate(der)
	must(t, err)
	pool := x509.NewCertPool()
	pool.AddCert(leaf)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pool
}

func TestHandlerOverTLS(t *testing.T) {
	cert, pool := certificate(t)
	s := &script{}
	a, _ := serveAdapter(t, remote.AdapterConfig{})
	address, _ := serveHandler(t, "", s, grpc.Creds(credentials.NewServerTLSFromCert(&cert)))
	for _, form := range []string{address, "https://" + address} {
		c := newClient(t, remote.ClientConfig{Addresses: []string{form}, TLS: &tls.Config{RootCAs: pool}}, a)
		must(t, newHandler(t, c, newDevice("c1")).OnReceivedBytes(nil))
	}
	untrusted := newClient(t, remote.ClientConfig{Addresses: []string{"https://" + address}}, a)
	expectReason(t, newHandler(t, untrusted, newDevice("c1")).OnReceivedBytes(nil), gateway.ReasonHandlerUnavailable)
	plain := newClient(t, remote.ClientConfig{Addresses: []string{address}}, a)
	expectReason(t, newHandler(t, plain, newDevice("c1")).OnReceivedBytes(nil), gateway.ReasonHandlerUnavailable)
}

func TestPlainAddressWithTLSIsRefused(t *testing.T) {
	_, err := remote.NewClient(remote.ClientConfig{
		Name: "demo", Addresses: []string{"http://127.0.0.1:1"}, TLS: &tls.Config{},
	}, newAdapter(t, remote.AdapterConfig{}))
	if err == nil {
		t.Error("http with TLS was taken")
	}
}

func TestAdapterOverMutualTLS(t *testing.T) {
	cert, pool := certificate(t)
	other, otherPool := certificate(t)
	_, address := serveAdapter(t, remote.AdapterConfig{TLS: &tls.Config{
		Certificates: []tls.Certificate{cert}, ClientCAs: pool, ClientAuth: tls.RequireAndVerifyClientCert,
	}})
	for _, test := range []struct {
		name  string
		certs []tls.Certificate
		trust *x509.CertPool
		ok    bool
	}{
		{"with a certificate", []tls.Certificate{cert}, pool, true},
		{"without", nil, pool, false},
		{"with one of another authority", []tls.Certificate{other}, pool, false},
		{"that trusts another authority", []tls.Certificate{cert}, otherPool, false},
	} {
		cc, err := grpc.NewClient(address,
			grpc.WithTransportCredentials(credentials.NewTLS(&tls.Config{
				RootCAs: test.trust, Certificates: test.certs,
			})))
		must(t, err)
		_, err = exproto.NewConnectionAdapterClient(cc).Send(t.Context(), &exproto.SendBytesRequest{Conn: "c1"})
		if (err == nil) != test.ok {
			t.Errorf("%s: %v", test.name, err)
		}
		must(t, cc.Close())
	}
}
