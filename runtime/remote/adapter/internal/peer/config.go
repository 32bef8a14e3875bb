package peer

import (
	"cmp"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"time"

	"github.com/exgate/exgate/runtime/gateway"
)

// Config configures Peers.
type Config struct {
	// Node is this node's own name. Required.
	Node string
	// Nodes are other nodes, each as node=host:port of its adapter; this one may be among them. Optional if DNS is set.
	Nodes []string
	// DNS is a name:port that resolves to adapters of nodes; each is asked for its node's name. Optional if Nodes is
	// set.
	DNS string
	// Token is what nodes present to each other. Optional.
	Token string
	// TLS secures the connections to other nodes. If zero, plain text.
	TLS *tls.Config
	// Logger receives warnings. If zero, slog.Default().
	Logger *slog.Logger

	// The tests set these.
	refresh  time.Duration // between lookups
	timeout  time.Duration // of a forwarded call whose caller has no deadline
	resolver *net.Resolver
}

const (
	defaultRefresh = 30 * time.Second
	defaultTimeout = 5 * time.Second
)

func (cfg Config) withDefaults() Config {
	cfg.refresh = cmp.Or(cfg.refresh, defaultRefresh)
	cfg.timeout = cmp.Or(cfg.timeout, defaultTimeout)
	cfg.resolver = cmp.Or(cfg.resolver, net.DefaultResolver)
	cfg.Logger = cmp.Or(cfg.Logger, slog.Default())
	return cfg
}

func (cfg Config) check() error {
	if err := gateway.CheckNode(cfg.Node); err != nil {
		return err
	}
	if cfg.DNS != "" && !isHostPort(cfg.DNS) {
		return fmt.Errorf("adapter.peers_dns %q must be name:port", cfg.DNS)
	}
	return nil
}

// static returns the addresses of Nodes by node, without this one's.
func (cfg Config) static() (map[string]string, error) {
	addresses := make(map[string]string)
	for _, entry := range cfg.Nodes {
		node, address, err := parseNode(entry)
		if err != nil {
			return nil, fmt.Errorf("adapter.peers %q: %w", entry, err)
		}
		if addresses[node] != "" {
			return nil, fmt.Errorf("adapter.peers names the node %q twice", node)
		}
		addresses[node] = address
	}
	delete(addresses, cfg.Node)
	return addresses, nil
}

func parseNode(entry string) (node, address string, err error) {
	node, address, ok := strings.Cut(entry, "=")
	if !ok || !isHostPort(address) {
		return "", "", errors.New("it must be node=host:port")
	}
	return node, address, gateway.CheckNode(node)
}

func isHostPort(s string) bool {
	host, port, err := net.SplitHostPort(s)
	return err == nil && host != "" && port != ""
}
