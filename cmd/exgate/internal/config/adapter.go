package config

import "strings"

// Adapter is the gRPC service that remote handlers call.
type Adapter struct {
	Bind             string     `koanf:"bind"`
	TLS              AdapterTLS `koanf:"tls"`
	MaxConnections   int        `koanf:"max_connections" min:"1"`
	RawPublish       bool       `koanf:"raw_publish"`
	RawPublishTopics []string   `koanf:"raw_publish_topics"`
	Peers            Peers      `koanf:"peers"`
}

// AdapterTLS is the adapter's certificate. With ClientCA, handlers must have one too.
type AdapterTLS struct {
	Cert     string `koanf:"cert" path:"file"`
	Key      string `koanf:"key" path:"file"`
	ClientCA string `koanf:"client_ca" path:"file"`
}

// Peers are the other gateways behind one adapter address.
type Peers struct {
	Nodes     []string  `koanf:"nodes"`
	DNS       string    `koanf:"dns"`
	TokenFile string    `koanf:"token_file" path:"file"`
	TLS       ClientTLS `koanf:"tls"`
}

// adapter checks the service that handlers call.
func (r rules) adapter(a Adapter) {
	r.address("adapter.bind", a.Bind)
	r.adapterTLS("adapter.tls", a.TLS)
	if at, said := r.cfg.said("adapter.raw_publish_topics"); said && !a.RawPublish {
		r.problems.add(at, "adapter.raw_publish_topics", "needs adapter.raw_publish: true")
	}
	r.peers("adapter.peers", a.Peers)
}

func (r rules) adapterTLS(key string, t AdapterTLS) {
	r.file(key+".cert", t.Cert)
	r.file(key+".key", t.Key)
	r.file(key+".client_ca", t.ClientCA)
	_, said := r.cfg.said(key)
	switch {
	case !said || r.broken(key):
		return
	case t.Cert == "" || t.Key == "":
		r.problem(key, "needs cert and key, the PEM files of the adapter's certificate and private key")
		return
	}
	r.pair(key, t.Cert, t.Key)
	r.certificates(key+".client_ca", t.ClientCA)
}

// peers checks where the other gateways are.
func (r rules) peers(key string, p Peers) {
	if at, said := r.cfg.said(key); said && len(p.Nodes) == 0 && p.DNS == "" && !r.broken(key) {
		r.problems.add(at, key, "needs nodes, such as [gateway-2=10.0.0.2:9100], or dns, a name:port that has the "+
			"addresses of all gateways")
	}
	for i, node := range p.Nodes {
		at := r.cfg.origins.ofItem(key+".nodes", i)
		name, address, ok := strings.Cut(node, "=")
		if !ok || name == "" || !isHostPort(address) {
			r.problems.add(at, key+".nodes", "must contain name=host:port, not %s", quoted(node))
		}
	}
	if p.DNS != "" && !isHostPort(p.DNS) {
		r.problem(key+".dns", "must be name:port, not %s", quoted(p.DNS))
	}
	r.tokenFile(key+".token_file", p.TokenFile)
	r.clientTLS(key+".tls", p.TLS)
}
