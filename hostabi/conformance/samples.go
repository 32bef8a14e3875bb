package conformance

import (
	"bytes"
	"math/rand/v2"

	"github.com/exgate/exgate/hostabi"
)

// defaultSamples returns sessions in common protocol formats.
func defaultSamples() [][]byte {
	return [][]byte{
		[]byte("CONNECT kit user secret\nSUB kit/#\nPUB kit/a hello\nPING\n"),
		[]byte("auth kit user secret\nsub kit/# 1\npub kit/a 1 hello\nunsub kit/#\ntimer 30\nstate\n"),
		[]byte("{\"type\":1,\"clientinfo\":{\"clientid\":\"kit\",\"username\":\"u\",\"proto_name\":\"kit\"," +
			"\"proto_ver\":\"1\"},\"password\":\"p\"}\n"),
		[]byte("GET / HTTP/1.1\r\nHost: kit\r\n\r\n"),
		{0x00, 0x01, 0x00, 0x00, 0x00, 0x06, 0x01, 0x03, 0x00, 0x00, 0x00, 0x01},
		{0x7e, 0x00, 0x02, 0x00, 0x00, 0x01, 0x23, 0x45, 0x67, 0x89, 0x01, 0x00, 0x01, 0x7d, 0x02, 0x7e},
		append([]byte{0xc0}, append(bytes.Repeat([]byte{0xdb, 0xdc}, 16), 0xc0)...),
		{0x10, 0x0f, 0x00, 0x04, 'M', 'Q', 'T', 'T', 0x04, 0x02, 0x00, 0x3c, 0x00, 0x03, 'k', 'i', 't'},
	}
}

// noise returns n random bytes.
func noise(r *rand.Rand, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

func newNoise() *rand.Rand {
	return rand.New(rand.NewPCG(1, 2)) //nolint:gosec // fixed, so that a report can be reproduced
}

func connInfo() hostabi.ConnInfo {
	return hostabi.ConnInfo{
		Peer:  hostabi.Address{Host: "192.0.2.7", Port: 40_000},
		Local: hostabi.Address{Host: "192.0.2.1", Port: 7_000},
	}
}

// eventBytes is the gateway's default limit for the body of an event.
const eventBytes = 64 << 10
