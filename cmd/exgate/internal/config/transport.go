package config

import (
	"net/netip"
	"time"
)

// TLS is the certificate of a tls or dtls listener, and what it asks of devices.
type TLS struct {
	Cert             string        `koanf:"cert" path:"file"`
	Key              string        `koanf:"key" path:"file"`
	CA               string        `koanf:"ca" path:"file"`
	Verify           string        `koanf:"verify" oneof:"none peer"`
	FailIfNoCert     bool          `koanf:"fail_if_no_cert"`
	MinVersion       string        `koanf:"min_version" oneof:"1.0 1.1 1.2 1.3"`
	MaxVersion       string        `koanf:"max_version" oneof:"1.0 1.1 1.2 1.3"`
	Ciphers          []string      `koanf:"ciphers"`
	ConnectionIDs    bool          `koanf:"connection_ids"`
	HandshakeTimeout time.Duration `koanf:"handshake_timeout"`
	MaxHandshakes    int           `koanf:"max_handshakes" min:"1"`
}

// PSK are the pre-shared keys of a dtls listener.
type PSK struct {
	IdentityHint string `koanf:"identity_hint"`
	File         string `koanf:"file" path:"file"`
}

// Proxy is the PROXY protocol, spoken by load balancers before what the device sends.
type Proxy struct {
	Trusted []string      `koanf:"trusted"`
	Timeout time.Duration `koanf:"timeout"`
}

// Access is who may connect.
type Access struct {
	Rules []string `koanf:"rules"`
	File  string   `koanf:"file" path:"file"`
}

// Ban keeps out, for a time, sources that keep failing.
type Ban struct {
	Failures int           `koanf:"failures" min:"1" max:"100"`
	Window   time.Duration `koanf:"window"`
	Duration time.Duration `koanf:"duration"`
}

// Socket holds options of the listening socket and of those it accepts. If zero, a field is the system's default.
type Socket struct {
	Backlog    int           `koanf:"backlog" min:"1"`
	RecvBuffer int           `koanf:"recv_buffer" min:"1" max:"2147483647" unit:"bytes"`
	SendBuffer int           `koanf:"send_buffer" min:"1" max:"2147483647" unit:"bytes"`
	NoDelay    *bool         `koanf:"nodelay"`
	KeepAlive  time.Duration `koanf:"keepalive"`
	ReusePort  bool          `koanf:"reuse_port"`
}

// UDP bounds the peers of a udp or dtls listener.
type UDP struct {
	MaxPeers          int `koanf:"max_peers" min:"1"`
	NewPeersPerSecond int `koanf:"new_peers_per_second" min:"1"`
	Queue             int `koanf:"queue" min:"1"`
}

// Prefixes are the addresses of the load balancers.
func (p Proxy) Prefixes() []netip.Prefix {
	prefixes := make([]netip.Prefix, 0, len(p.Trusted))
	for _, text := range p.Trusted {
		if prefix, err := parsePrefix(text); err == nil {
			prefixes = append(prefixes, prefix)
		}
	}
	return prefixes
}

// parsePrefix reads a network such as 10.0.0.0/8, or one address.
func parsePrefix(text string) (netip.Prefix, error) {
	if addr, err := netip.ParseAddr(text); err == nil {
		return addr.Prefix(addr.BitLen())
	}
	prefix, err := netip.ParsePrefix(text)
	return prefix.Masked(), err
}
