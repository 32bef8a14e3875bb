package gatewaytest

import (
	"errors"
	"net"
	"os"
	"strconv"
	"sync"
	"testing"
)

// FreeAddress returns an address of 127.0.0.1 where nothing listens. Its port is given neither to another process that
// runs tests nor, unlike the port of a listener that was closed, to a socket that may have any: a server may bind it
// later, and again after a pause.
func FreeAddress(t testing.TB) string {
	t.Helper()
	address, err := ports.next()
	if err != nil {
		t.Fatal(err)
	}
	return address
}

// The ports below those that Linux and macOS give to sockets that may have any, in blocks of a process each.
const (
	lowestPort   = 10_000
	highestPort  = 32_767
	portsOfBlock = 512
	portBlocks   = (highestPort + 1 - lowestPort) / portsOfBlock
)

var ports portBlock

// portBlock returns the ports of a block in turn. The process that listens on the first one has the block.
type portBlock struct {
	mu    sync.Mutex
	claim net.Listener // nil until the first use; guarded by mu
	last  int          // index of the last port that was returned; guarded by mu
}

func (b *portBlock) next() (string, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for i := os.Getpid(); b.claim == nil; i++ {
		if i == os.Getpid()+portBlocks {
			return "", errors.New("other processes have all blocks of ports")
		}
		b.claim, _ = net.Listen("tcp", loopback(lowestPort+i%portBlocks*portsOfBlock))
	}
	first := b.claim.Addr().(*net.TCPAddr).Port
	for range portsOfBlock - 1 {
		b.last = b.last%(portsOfBlock-1) + 1
		address := loopback(first + b.last)
		if l, err := net.Listen("tcp", address); err == nil {
			return address, l.Close()
		}
	}
	return "", errors.New("all ports of the block are in use")
}

func loopback(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }
