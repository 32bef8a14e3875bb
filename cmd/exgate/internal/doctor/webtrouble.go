package doctor

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"

	"github.com/exgate/exgate/cmd/exgate/internal/config"
)

// webTrouble explains why the gateway could not reach the server of the setting name in the section key.
func (c *checkup) webTrouble(key, name, address string, of config.ClientTLS, err error) Finding {
	var dns *net.DNSError
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return c.problem(key+"."+name, "nothing listens on %s: start the service, or change the address",
			withoutSecrets(address))
	case errors.As(err, &dns):
		return c.problem(key+"."+name, "cannot resolve the name in %s (%s): change the name, or fix DNS",
			withoutSecrets(address),
			dns.Err)
	case errors.Is(err, http.ErrSchemeMismatch):
		return c.problem(key+"."+name, "the server of %s does not use TLS: change the address", withoutSecrets(address))
	case isOfTLS(err):
		setting, text := tlsTrouble(err, of)
		if !strings.HasPrefix(setting, "tls.") {
			setting = name
		}
		return c.problem(key+"."+setting, "the TLS connection to %s failed: %s", withoutSecrets(address),
			strings.Replace(text, "remove tls", "write http://", 1))
	}
	return c.problem(key+"."+name, "%v", err)
}

// withoutSecrets returns a URL without parts that may contain secrets.
func withoutSecrets(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return "the address"
	}
	return u.Scheme + "://" + u.Host + u.Path
}

// isOfTLS reports whether the TLS handshake failed.
func isOfTLS(err error) bool {
	var authority x509.UnknownAuthorityError
	var host x509.HostnameError
	var invalid x509.CertificateInvalidError
	var record tls.RecordHeaderError
	return errors.As(err, &authority) || errors.As(err, &host) || errors.As(err, &invalid) || errors.As(err, &record) ||
		alerted(err)
}
