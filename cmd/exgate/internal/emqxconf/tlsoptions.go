package emqxconf

import (
	"github.com/exgate/exgate/cmd/exgate/internal/emqxconf/hocon"
)

// said is a setting that is deferred until the whole section has been seen.
type said struct {
	*hocon.Value
	section, name string
}

// tlsWish collects TLS options of a listener that belong together.
type tlsWish struct{ ca, verify, failIfNoCert, versions, ciphers, pskCiphers said }

// tlsRules holds the options of TLS and DTLS, which are in the listener in 4.x, and in ssl_options and dtls_options in
// 5.x.
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
	"dhfile": secureOnly(lost("Go's TLS has no suites with Diffie-Hellman groups from files; it uses " +
		"elliptic curves instead")),
	"client_renegotiation": ignored(noRenegotiation),
	"honor_cipher_order":   ignored("Go chooses the best common suite"),
	"gc_after_handshake":   ignored("an idle connection holds no buffer"),
	"user_lookup_fun":      ignored("pre-shared keys are in psk.file"),
	"enable_crl_check":     switchedOn("exgate does not read revocation lists: refuse the device at the broker"),
	"ocsp": within(rules{
		"enable_ocsp_stapling": switchedOn("exgate does not staple OCSP answers: devices that insist on them need a " +
			"TLS proxy in front"),
		"responder_url": ocspPart, "issuer_pem": ocspPart, "refresh_interval": ocspPart,
		"refresh_http_timeout": ocspPart,
	}),
})

const noRenegotiation = "exgate never renegotiates"

// neutralTLSRules holds options that exgate does not need, as a server and as a client.
var neutralTLSRules = rules{
	"depth":              ignored("certificate chains of any length are verified"),
	"reuse_sessions":     ignored("TLS sessions are always resumed, DTLS sessions never"),
	"secure_renegotiate": ignored(noRenegotiation),
	"log_level": ignored("failed handshakes are counted in exgate_tls_handshakes_total and " +
		"exgate_dtls_handshakes_total"),
	"hibernate_after": ignored("an idle connection holds no buffer"),
	"cacerts": ignored("the certificate authorities are those in the file, or with handler.tls and without a " +
		"file the system's"),
	"partial_chain": ignored("a certificate in the file of authorities is trusted"),
	"verify_peer_ext_key_usage": ignored(
		"the key usage of a certificate must fit, or be absent"),
}

var ocspPart = ignored("a part of OCSP stapling")

// switchedOn is the rule for a setting that exgate does not have, if it is on.
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

// secureOnly restricts a rule to tls and dtls listeners; EMQX does not use the setting on others.
func secureOnly(r rule) rule {
	return func(s *scope, name string, v *hocon.Value) {
		if s.kind == "tcp" || s.kind == "udp" {
			s.needless(v, s.name(name), "EMQX does not use it on "+s.kind+" listeners")
			return
		}
		r(s, name, v)
	}
}

// keep defers a setting to finishTLS.
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

// password is the rule for the password of a private key. The value is not read.
func password(key string) rule {
	return func(s *scope, name string, v *hocon.Value) {
		s.decide(v, s.name(name), "exgate reads private keys without a password: remove it with openssl pkey -in KEY "+
			"-out NEWKEY, set %s to NEWKEY, and protect that file", key)
	}
}
