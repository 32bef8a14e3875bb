package config

import (
	"net/url"
	"slices"
	"strings"
)

// authenticators are whom a chain may name; those of ofSections have a section of their own.
var (
	authenticators = []string{"broker", "file", "http", "jwt", "allow"}
	ofSections     = []string{"file", "http", "jwt"}
)

// sharing checks what is for devices that share connections.
func (r rules) sharing(u Upstream) {
	for _, name := range []string{"connections", "control_topic", "authentication"} {
		key := "upstream." + name
		// A module that comes later may have a listener of its own with session: shared.
		if at, said := r.cfg.said(key); said && !r.cfg.HasShared() && r.cfg.Modules == "" && !r.broken("upstream.session") {
			r.problems.add(at, key, "is for session: shared, which neither upstream.session nor a listener says")
		}
	}
	if u.ControlTopic != "" {
		if err := gatewayTopic(u.ControlTopic); err != nil {
			r.problem("upstream.control_topic", "%v", err)
		} else if strings.Contains(u.ControlTopic, "${") {
			r.problem("upstream.control_topic", "must be the same for all gateways, without ${node}")
		}
	}
	if r.cfg.Said("upstream.authentication") {
		r.authentication("upstream.authentication", u.Authentication)
	}
}

// authentication checks who says which devices may log in.
func (r rules) authentication(key string, a Authentication) {
	r.chain(key, a.Asked())
	r.authFile(key+".file", a.File)
	r.authFile(key+".rules", a.Rules)
	r.authByURL(key+".http", a.HTTP)
	r.authByJWT(key+".jwt", a.JWT)
}

// chain checks that each who is asked is there, and that each who is there is asked.
func (r rules) chain(key string, chain []string) {
	for i, name := range chain {
		here := r.cfg.origins.ofItem(key+".chain", i)
		_, said := r.cfg.said(key + "." + name)
		switch {
		case !slices.Contains(authenticators, name):
			r.problems.add(here, key+".chain", "must hold %s, not %s", either(authenticators), quoted(name))
		case slices.Contains(chain[:i], name):
			r.problems.add(here, key+".chain", "holds %s twice", name)
		case name == "allow" && i < len(chain)-1:
			r.problems.add(here, key+".chain", "allow lets everybody in: nobody behind it is asked, put it last")
		case slices.Contains(ofSections, name) && !said:
			r.problems.add(here, key+".chain", "%s needs %s.%s", name, key, name)
		}
	}
	for _, name := range ofSections {
		if there, said := r.cfg.said(key + "." + name); said && !slices.Contains(chain, name) && !r.broken(key+".chain") {
			r.problems.add(there, key+"."+name, "is not asked: add %s to %s.chain, which is [%s]", name, key, strings.Join(chain, ", "))
		}
	}
}

// authByURL checks a service that is asked over HTTP.
func (r rules) authByURL(key string, a AuthByURL) {
	at, said := r.cfg.said(key)
	if !said || r.broken(key) {
		return
	}
	u, err := url.Parse(a.URL)
	switch {
	case a.URL == "":
		r.problems.add(at, key, "needs url, such as https://auth.example/exgate")
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.Fragment != "":
		r.problem(key+".url", "must be like http://host:8080/path or https://host/path, not %s", quoted(redacted(a.URL)))
	case u.User != nil:
		r.problem(key+".url", "must hold no user: write authorization into headers_file")
	case u.Scheme == "http":
		if at, said := r.cfg.said(key + ".tls"); said {
			r.problems.add(at, key+".tls", "needs https:// in %s.url", key)
		}
	}
	r.clientTLS(key+".tls", a.TLS)
	r.headersFile(key+".headers_file", a.HeadersFile)
}
