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

// webTrouble says what kept the gateway from the server of the setting name in the section key.
func (c *checkup) webTrouble(key, name, address string, of config.ClientTLS, err error) Finding {
	var dns *net.DNSError
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return c.problem(key+"."+name, "nothing listens at %s: start the service, or change the address", shown(address))
	case errors.As(err, &dns):
		return c.problem(key+"."+name, "the name in %s has no address (%s): change it, or the DNS", shown(address), dns.Err)
	case errors.Is(err, http.ErrSchemeMismatch):
		return c.problem(key+"."+name, "the server of %s speaks no TLS: change the address", shown(address))
	case isOfTLS(err):
		setting, text := tlsTrouble(err, of)
		if !strings.HasPrefix(setting, "tls.") {
			setting = name
		}
		return c.problem(key+"."+setting, "the TLS connection to %s fails: %s", shown(address), strings.Replace(text, "remove tls", "write http://", 1))
	}
	return c.problem(key+"."+name, "%v", err)
}

// shown is a URL without what may hold a secret.
func shown(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return "the address"
	}
	return u.Scheme + "://" + u.Host + u.Path
}

// isOfTLS reports whether it was the handshake of TLS that failed.
func isOfTLS(err error) bool {
	var authority x509.UnknownAuthorityError
	var host x509.HostnameError
	var invalid x509.CertificateInvalidError
	var record tls.RecordHeaderError
	return errors.As(err, &authority) || errors.As(err, &host) || errors.As(err, &invalid) || errors.As(err, &record) || alerted(err)
}
