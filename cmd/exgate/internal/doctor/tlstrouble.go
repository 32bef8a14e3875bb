package doctor

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"strings"
	"syscall"
	"time"

	"github.com/exgate/exgate/cmd/exgate/internal/config"
)

// tlsTrouble says why a TLS connection to a server failed, and which setting, beside the address, would change it.
func tlsTrouble(err error, of config.ClientTLS) (setting, text string) {
	var notTLS tls.RecordHeaderError
	var authority x509.UnknownAuthorityError
	var host x509.HostnameError
	var invalid x509.CertificateInvalidError
	var timeout net.Error
	switch {
	case errors.As(err, &notTLS):
		return "tls", "the server speaks no TLS: remove tls, or change the address"
	case errors.As(err, &host):
		return "tls.server_name", "the server's certificate is for " + namesOf(host.Certificate) + ", not for " + host.Host + ": set server_name to a name that it has"
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return "grpc", "the server's certificate " + outOfDate(invalid.Cert) + ": renew it there"
	case errors.As(err, &authority) && of.CA == "":
		return "tls.ca", "the system does not know who signed the server's certificate: set ca to the PEM file of who did"
	case errors.As(err, &authority):
		return "tls.ca", "the server's certificate is not signed by who is in " + of.CA + ": set ca to the PEM file of who did"
	case alerted(err) && of.Cert == "":
		return "tls.cert", "the server asks the gateway for a certificate (" + alertText(err) + "): set cert and key"
	case alerted(err):
		return "tls.cert", "the server does not take the gateway's certificate in " + of.Cert + " (" + alertText(err) + "): have it signed by who the server trusts"
	case errors.As(err, &timeout) && timeout.Timeout():
		return "grpc", "the server takes connections and does not answer: change the address, or look at the server"
	case errors.Is(err, io.EOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return "tls", "the server ends the TLS handshake: does it speak TLS, and need a certificate of the gateway (cert and key)?"
	}
	return "tls", err.Error()
}

// alerted reports whether the other side refused, with a TLS alert.
func alerted(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "remote error"
}

func alertText(err error) string {
	var op *net.OpError
	if errors.As(err, &op) {
		return strings.TrimPrefix(op.Err.Error(), "tls: ")
	}
	return err.Error()
}

// namesOf are the names and addresses that a certificate is for. A server may have put anything there.
func namesOf(cert *x509.Certificate) string {
	names := cert.DNSNames
	for _, ip := range cert.IPAddresses {
		names = append(names, ip.String())
	}
	if len(names) == 0 {
		return "no name"
	}
	const most, longest = 8, 64
	names = names[:min(len(names), most)]
	for i, name := range names {
		names[i] = strings.ToValidUTF8(name[:min(len(name), longest)], "")
	}
	return strings.Join(names, ", ")
}

// outOfDate says since when a certificate is not valid, or when it will be.
func outOfDate(cert *x509.Certificate) string {
	if now := time.Now(); now.Before(cert.NotBefore) {
		return "is not valid before " + day(cert.NotBefore)
	}
	return "expired on " + day(cert.NotAfter)
}

func day(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 MST") }
