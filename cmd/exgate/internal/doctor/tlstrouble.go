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

// tlsTrouble explains why a TLS connection to a server failed, and names the setting to change besides the address.
func tlsTrouble(err error, of config.ClientTLS) (setting, text string) {
	var notTLS tls.RecordHeaderError
	var authority x509.UnknownAuthorityError
	var host x509.HostnameError
	var invalid x509.CertificateInvalidError
	var timeout net.Error
	switch {
	case errors.As(err, &notTLS):
		return "tls", "the server does not use TLS: remove tls, or change the address"
	case errors.As(err, &host):
		return "tls.server_name", "the server's certificate is for " + namesOf(host.Certificate) + ", not for " +
			host.Host + ": set server_name to one of its names"
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return "grpc", "the server's certificate " + outOfDate(invalid.Cert) + ": renew it there"
	case errors.As(err, &authority) && of.CA == "":
		return "tls.ca", "the server's certificate is signed by an unknown authority: set ca to the PEM file " +
			"of that authority"
	case errors.As(err, &authority):
		return "tls.ca", "the server's certificate is not signed by an authority in " + of.CA +
			": set ca to the PEM file of its authority"
	case alerted(err) && of.Cert == "":
		return "tls.cert", "the server requires a client certificate (" + alertText(err) + "): set cert and key"
	case alerted(err):
		return "tls.cert", "the server rejects the gateway's certificate in " + of.Cert + " (" + alertText(err) +
			"): have it signed by an authority that the server trusts"
	case errors.As(err, &timeout) && timeout.Timeout():
		return "grpc", "the server accepts connections but does not answer: change the address, or check the server"
	case errors.Is(err, io.EOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return "tls", "the server closed the connection during the TLS handshake: check that it uses TLS, and " +
			"whether it requires a client certificate (cert and key)"
	}
	return "tls", err.Error()
}

// alerted reports whether the peer refused with a TLS alert.
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

// namesOf returns the names and addresses in a certificate. They come from the server and may be anything.
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

// outOfDate says when a certificate expired, or when it becomes valid.
func outOfDate(cert *x509.Certificate) string {
	if now := time.Now(); now.Before(cert.NotBefore) {
		return "is not valid before " + day(cert.NotBefore)
	}
	return "expired on " + day(cert.NotAfter)
}

func day(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 MST") }
