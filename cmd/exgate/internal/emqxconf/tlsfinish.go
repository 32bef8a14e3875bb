package emqxconf

import (
	"slices"
	"strings"

	"github.com/exgate/exgate/runtime/listener"
	"github.com/exgate/exgate/runtime/listener/dtls"
)

// at returns the section of the listener that contains a setting.
func (s *scope) at(v said) *scope {
	inner := *s
	inner.key = v.section
	return &inner
}

// undecided adds a finding about a deferred setting.
func (s *scope) undecided(v said, format string, args ...any) {
	s.decide(v.Value, s.at(v).name(v.name), format, args...)
}

// finishTLS carries over combined TLS options.
func (s *scope) finishTLS() {
	if s.kind != "tls" && s.kind != "dtls" {
		return
	}
	w := &s.wish.tls
	s.authority(w)
	s.versions(w.versions)
	s.ciphers(w.ciphers)
	s.ciphers(w.pskCiphers)
}

// authority carries over the authority of device certificates.
func (s *scope) authority(w *tlsWish) {
	peer := w.verify.Value != nil && w.verify.Text == "verify_peer"
	if w.verify.Value != nil && !peer && w.verify.Text != "verify_none" {
		s.undecided(w.verify, "must be verify_peer or verify_none")
	}
	if w.ca.Value != nil && !peer {
		s.needless(w.ca.Value, s.at(w.ca).name(w.ca.name),
			"without verify_peer it only completes the server's chain: if it contains an intermediate certificate, "+
				"append that to the file in tls.cert")
	}
	if peer {
		s.to.set("tls.verify", "peer")
		if w.ca.Value != nil {
			file("tls.ca")(s.at(w.ca), w.ca.name, w.ca.Value)
		}
	}
	if w.failIfNoCert.Value == nil {
		return
	}
	switch fail, ok := s.at(w.failIfNoCert).flag(w.failIfNoCert.name, w.failIfNoCert.Value); {
	case ok && fail && peer:
		s.to.set("tls.fail_if_no_cert", true)
	case ok && fail:
		s.undecided(w.failIfNoCert, "has no effect without verify_peer, as in EMQX")
	}
}

// versions carries over a list of versions as a minimum and a maximum.
func (s *scope) versions(v said) {
	if v.Value == nil {
		if s.kind == "tls" {
			s.to.comment("tls", `TLS 1.2 and later. By default EMQX also accepted 1.0 and 1.1, as `+
				`min_version: "1.0" does.`)
		}
		return
	}
	var known []string
	for _, name := range texts(v.Value) {
		version, ok := strings.CutPrefix(name, s.kind+"v")
		if version == "1" {
			version = "1.0"
		}
		if !ok || !slices.Contains([]string{"1.0", "1.1", "1.2", "1.3"}, version) {
			s.undecided(v, "names an unknown version of %s", strings.ToUpper(s.kind))
			continue
		}
		known = append(known, version)
	}
	switch {
	case len(known) == 0:
	case s.kind == "tls":
		s.to.set("tls.min_version", slices.Min(known))
		s.to.set("tls.max_version", slices.Max(known))
	case slices.Min(known) != "1.2":
		s.undecided(v, "exgate supports DTLS 1.2 only")
	}
}

// ciphers carries over the known suites. If some use pre-shared keys and none of those is known, it uses the defaults
// instead of the rest, with which the keys could not be used.
func (s *scope) ciphers(v said) {
	if v.Value == nil {
		return
	}
	cipherName := listener.CipherName
	if s.kind == "dtls" {
		cipherName = dtls.CipherName
	}
	var kept, unknown []string
	for _, name := range texts(v.Value) {
		iana, ok := cipherName(name)
		switch {
		case ok:
			kept = append(kept, iana)
		// those of TLS 1.3 are always on
		case !strings.HasPrefix(name, "TLS_AES_") && !strings.HasPrefix(name, "TLS_CHACHA20_"):
			unknown = append(unknown, printableName(name))
		}
	}
	psk := slices.ContainsFunc(texts(v.Value), withKeys)
	if len(kept) > 0 && (!psk || slices.ContainsFunc(kept, withKeys)) {
		s.to.set("tls.ciphers", kept)
	}
	if len(unknown) > 0 {
		s.undecided(v, "exgate's %s does not support all of them; omitted: %s", strings.ToUpper(s.kind),
			strings.Join(unknown, ", "))
	}
	if psk {
		s.sharedKeys(v)
	}
}

// withKeys reports whether a suite uses pre-shared keys.
func withKeys(suite string) bool { return strings.Contains(suite, "PSK") }

// printableName returns the name of a cipher suite for a message. The configuration may hold anything in its place.
func printableName(name string) string {
	if len(name) > 40 || strings.Trim(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") != "" {
		return "(no name of one)"
	}
	return name
}

// sharedKeys reports that pre-shared keys need another format.
func (s *scope) sharedKeys(v said) {
	if s.kind == "tls" {
		s.undecided(v, "Go's TLS does not support pre-shared keys: use a dtls listener, or certificates")
		return
	}
	s.to.set("psk.file", "devices.psk")
	s.to.section("psk").note("file", "identity:key, the key in hexadecimal; docs/migration.md says how to "+
		"convert EMQX's file")
	s.undecided(v, "write the keys to devices.psk next to the result, in hexadecimal. Without suites in tls.ciphers, "+
		"the PSK suites with AES-GCM, AES-CCM and ChaCha20 are enabled")
}
