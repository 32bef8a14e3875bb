package config

import (
	"cmp"
	"math"
	"net/url"
	"slices"
	"strings"
	"time"
)

// upstream checks the broker that devices are connected to.
func (r rules) upstream() {
	u := r.cfg.Upstream
	if _, said := r.cfg.said("upstream.url"); !said {
		r.address("upstream.embedded.bind", u.Embedded.Bind)
		r.authFile("upstream.embedded.auth_file", u.Embedded.AuthFile)
		r.onlyElsewhere()
		return
	}
	r.exclusive("upstream.embedded", "upstream.url")
	r.servers(u.URL)
	r.account(u)
	r.upstreamTLS("upstream.tls", u)
	r.seconds("upstream.keepalive", u.KeepAlive, math.MaxUint16)
	r.seconds("upstream.session_expiry", u.SessionExpiry, math.MaxUint32-1)
	r.seconds("upstream.message_expiry", u.MessageExpiry, math.MaxUint32)
	r.statuses(u)
	r.sharing(u)
	r.spool("upstream.spool", u.Spool)
}

// onlyElsewhere refuses what is for another broker than the embedded one.
func (r rules) onlyElsewhere() {
	for _, name := range schema.children["upstream"].names() {
		key := "upstream." + name
		if at, said := r.cfg.said(key); said && name != "embedded" && !r.broken(key) {
			r.problems.add(at, key, "is for a broker of upstream.url; the embedded one needs none")
		}
	}
}

// servers checks where the broker is.
func (r rules) servers(urls []string) {
	const key = "upstream.url"
	if len(urls) == 0 && !r.broken(key) {
		r.problem(key, "is an empty list: it must be %s", serverForms)
	}
	for i, text := range urls {
		at := r.cfg.origins.ofItem(key, i)
		switch wrong := notServer(text); {
		case wrong != "":
			r.problems.add(at, key, "%s", wrong)
		case slices.Contains(urls[:i], text):
			r.problems.add(at, key, "holds %s twice", text)
		}
	}
}

const serverForms = "like mqtt://host:1883, mqtts://host:8883, ws://host:8083/mqtt or wss://host:8084/mqtt"

// notServer says why text is no server of a broker, or nothing where it is one.
func notServer(text string) string {
	u, err := url.Parse(text)
	switch {
	case err != nil || !slices.Contains([]string{"mqtt", "mqtts", "ws", "wss"}, u.Scheme) || u.Hostname() == "" || u.Fragment != "":
		return "must be " + serverForms + ", not " + quoted(redacted(text))
	case u.Port() != "" && !isPort(u.Port()):
		return "has the port " + u.Port() + ": ports end at 65535"
	case u.User != nil:
		return "must hold no user: devices log in with credentials of their own, and upstream.username is the gateway's"
	case strings.HasPrefix(u.Scheme, "mqtt") && (u.Path != "" && u.Path != "/" || u.RawQuery != ""):
		return "must hold nothing behind the port: only ws:// and wss:// have a path"
	}
	return ""
}

// account checks what the gateway itself logs in with.
func (r rules) account(u Upstream) {
	if strings.ContainsFunc(u.Username, func(c rune) bool { return c < ' ' || c == 0x7f }) {
		r.problem("upstream.username", "must hold no control characters")
	}
	r.tokenFile("upstream.password_file", u.PasswordFile)
	if u.PasswordFile != "" && u.Username == "" && !r.broken("upstream") {
		r.problem("upstream.password_file", "needs upstream.username")
	}
}

// upstreamTLS checks how the connections to the broker are secured.
func (r rules) upstreamTLS(key string, u Upstream) {
	r.clientTLS(key, u.TLS.Client())
	for i, protocol := range u.TLS.ALPN {
		if protocol == "" || len(protocol) > math.MaxUint8 {
			r.problems.add(r.cfg.origins.ofItem(key+".alpn", i), key+".alpn", "must hold names of 1 to 255 bytes, such as mqtt")
		}
	}
	at, said := r.cfg.said(key)
	if !said || r.broken(key) || r.broken("upstream.url") {
		return
	}
	if !slices.ContainsFunc(u.URL, secure) {
		r.problems.add(at, key, "needs mqtts:// or wss:// in upstream.url")
	} else if len(u.TLS.ALPN) > 0 && !slices.ContainsFunc(u.URL, func(server string) bool { return strings.HasPrefix(server, "mqtts://") }) {
		r.problem(key+".alpn", "needs mqtts:// in upstream.url: over wss:// it is HTTP that is agreed on")
	}
}

// seconds checks a duration that MQTT counts in whole seconds.
func (r rules) seconds(key string, d time.Duration, most int64) {
	switch {
	case d%time.Second != 0:
		r.problem(key, "must be whole seconds, not %s: MQTT counts them", d)
	case d > time.Duration(most)*time.Second:
		r.problem(key, "must be at most %s, not %s: MQTT has no room for more", time.Duration(most)*time.Second, d)
	}
}

// spoolBytes is max_bytes of the spool where nothing is said.
const spoolBytes = 1 << 30

// spool checks where publishes wait.
func (r rules) spool(key string, s Spool) {
	at, said := r.cfg.said(key)
	if !said || r.broken(key) {
		return
	}
	if s.Folder == "" {
		r.problems.add(at, key, "needs folder, where messages wait for the broker")
		return
	}
	r.noFile(key+".folder", s.Folder)
	if s.MaxBytesPerDevice > cmp.Or(s.MaxBytes, spoolBytes) {
		r.problem(key+".max_bytes_per_device", "is above max_bytes")
	}
}
