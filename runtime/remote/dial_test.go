package remote

import (
	"testing"
	"time"
)

// gRPC servers by default close the connection of a client that pings more often than every five minutes, or without a
// stream.
func TestKeepaliveIsTakenByServersWithDefaults(t *testing.T) {
	const leastOfServers = 5 * time.Minute
	if clientKeepalive.Time <= leastOfServers || clientKeepalive.PermitWithoutStream {
		t.Errorf("%+v is more than servers take", clientKeepalive)
	}
	if !tcpKeepalive.Enable || clientKeepalive.Timeout > 10*time.Second {
		t.Error("a host that is gone is not found out by TCP")
	}
}
