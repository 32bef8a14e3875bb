package emqxconf

import (
	"github.com/exgate/exgate/cmd/exgate/internal/emqxconf/hocon"
)

// said is a setting that waits until all of its section have been seen.
type said struct {
	*hocon.Value
	section, name string
}

// tlsWish is what the TLS options of a listener ask for together.
type tlsWish struct{ ca, verify, failIfNoCert, versions, ciphers, pskCiphers said }

// tlsRules are the options of TLS and DTLS; 4.x says them of the listener, 5.x in ssl_options and dtls_options.
var tlsRules = merged(neutralTLSRules, rules{
	"certfile":             secureOnly(file("tls.cert")),
	"keyfile":              secureOnly(file("tls.key")),
	"password":             secureOnly(password("tls.key")),
	"handshake_timeout":    secureOnly(duration("tls.handshake_timeout")),
	"cacertfile":           secureOnly(keep(func(w *tlsWish) *said { return &w.ca })),
	"verify":               secureOnly(keep(func(w *tlsWish) *said { return &w.verify })),
	"fail_if_no_peer_cert": secureOnly(keep(func(w *tlsWish) *said { return &w.failIfNoCert })),
	"tls_versions":         secureOnly(keep(func(w *tlsWish) *said { return &w.versions })),
	"versions":             secureOnly(keep(func(w *tlsWish) *said { return &w.versions })),
	"ciphers":              secureOnly(keep(func(w *tlsWish) *said { return &w.ciphers })),
	"psk_ciphers":          secureOnly(keep(func(w *tlsWish) *said { return &w.pskCiphers })),
	"dhfile": secureOnly(lost("Go's TLS has no suites with Diffie-Hellman groups from files; those " +
		"with elliptic curves take their place")),
	"client_renegotiation": ignored(noRenegotiation),
	"honor_cipher_order":   ignored("Go chooses the best suite that both sides have"),
	"gc_after_handshake":   ignored("an idle connection holds no buffer"),
	"user_lookup_fun":      ignored("keys shared with devices are in psk.file"),
	"enable_crl_check":     switchedOn("exgate reads no revocation lists: refuse the device at the broker"),
	"ocsp": within(rules{
		"enable_ocsp_stapling": switchedOn("exgate does not staple OCSP answers: devices that insist on them need a " +
			"TLS proxy in front"),
		"responder_url": ocspPart, "issuer_pem": ocspPart, "refresh_interval": ocspPart,
		"refresh_http_timeout": ocspPart,
	}),
})

const noRenegotiation = "exgate does not renegotiate at all"

// neutralTLSRules are the options that exgate does without, on both sides of TLS.
var neutralTLSRules = rules{
	"depth":              ignored("chains of certificates are checked whatever their length"),
	"reuse_sessions":     ignored("TLS sessions are always resumed, DTLS sessions never"),
	"secure_renegotiate": ignored(noRenegotiation),
	"log_level": ignored("failed handshakes are counted in exgate_tls_handshakes_total and " +
		"exgate_dtls_handshakes_total"),
	"hibernate_after": ignored("an idle connection holds no buffer"),
	"cacerts": ignored("the certificate authorities are those of the file, or with handler.tls the " +
		"system's where there is no file"),
	"partial_chain": ignored("a certificate in the file of authorities is trusted as it is"),
	"verify_peer_ext_key_usage": ignored(
		"a certificate must be for the side that shows it, or say nothing about its use"),
}

var ocspPart = ignored("a part of OCSP stapling")

// switchedOn is a setting that exgate has not, if it is on.
func switchedOn(why string) rule {
	return func(s *scope, name string, v *hocon.Value) {
		switch on, ok := s.flag(name, v); {
		case ok && on:
			s.decide(v, s.name(name), "%s", why)
		case ok:
			s.needless(v, s.name(name), "it is off")
		}
	}
}

// secureOnly is a rule for tls and dtls listeners; EMQX does not use the setting on others.
func secureOnly(r rule) rule {
	return func(s *scope, name string, v *hocon.Value) {
		if s.kind == "tcp" || s.kind == "udp" {
			s.needless(v, s.name(name), "EMQX does not use it on "+s.kind+" listeners")
			return
		}
		r(s, name, v)
	}
}

// keep is a setting that finishTLS carries over.
func keep(where func(*tlsWish) *said) rule {
	return func(s *scope, name string, v *hocon.Value) { *where(&s.wish.tls) = said{v, s.key, name} }
}

// file carries over the path of a file.
func file(to string) rule {
	return func(s *scope, name string, v *hocon.Value) {
		if path, ok := s.path(name, v); ok {
			s.to.set(to, path)
		}
	}
}

// password is the one that a private key is encrypted with; it is not looked at.
func password(key string) rule {
	return func(s *scope, name string, v *hocon.Value) {
		s.decide(v, s.name(name), "exgate reads private keys without a password: openssl pkey -in KEY -out NEWKEY "+
			"takes it off; name NEWKEY in %s, and let nobody else read it", key)
	}
}
