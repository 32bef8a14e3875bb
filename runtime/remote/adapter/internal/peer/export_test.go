package peer

import (
	"net"
	"time"
)

// WithRefresh returns cfg with another time between lookups.
func WithRefresh(cfg Config, refresh time.Duration) Config {
	cfg.refresh = refresh
	return cfg
}

// WithTimeout returns cfg with another limit for calls without a deadline.
func WithTimeout(cfg Config, timeout time.Duration) Config {
	cfg.timeout = timeout
	return cfg
}

// WithResolver returns cfg with another resolver.
func WithResolver(cfg Config, r *net.Resolver) Config {
	cfg.resolver = r
	return cfg
}
