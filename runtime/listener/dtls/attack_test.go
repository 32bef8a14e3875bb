package dtls_test

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	pion "github.com/pion/dtls/v3"
	"github.com/pion/dtls/v3/pkg/crypto/prf"

	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/gateway/gatewaytest"
	"github.com/exgate/exgate/runtime/listener/dtls"
	"github.com/exgate/exgate/runtime/listener/listenertest"
)

// rawClient speaks as much DTLS as an attacker needs.
type rawClient struct {
	socket *net.UDPConn
	suite  uint16
}

func newRawClient(t testing.TB, s *dtlsServer, suite uint16) *rawClient {
	t.Helper()
	c, err := net.DialUDP("udp", nil, s.addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(time.Second))
	return &rawClient{c, suite}
}

// halfwayClient has proved its address: the server has sent its ServerHello.
func halfwayClient(t testing.TB, s *dtlsServer, suite uint16) *rawClient {
	t.Helper()
	for range 20 {
		c := newRawClient(t, s, suite)
		c.send(dtls.AHello(0, suite))
		if verify := c.receive(3); len(verify) > 3 {
			c.send(dtls.AHelloWith(1, verify[3:3+int(verify[2])], suite))
			if c.receive(2) != nil {
				return c
			}
		}
	}
	t.Fatal("no handshake gets half way")
	return nil
}

func (c *rawClient) send(b []byte) { _, _ = c.socket.Write(b) }

// receive waits for a datagram that begins with that handshake message, and returns the message's body; nil if none
// comes.
func (c *rawClient) receive(message byte) []byte {
	for b := make([]byte, 8192); ; {
		n, err := c.socket.Read(b)
		if err != nil {
			return nil
		}
		if n > 25 && b[0] == 22 && b[13] == message {
			return b[25:n]
		}
	}
}

// A ClientKeyExchange that breaks off, from a client without any key, ended the whole process with the library's
// version 2.
func TestDTLSSurvivesMalformedClientKeyExchange(t *testing.T) {
	cfg := pskDTLS(t)
	cfg.Ciphers = []string{"TLS_ECDHE_PSK_WITH_AES_128_CBC_SHA256", "TLS_PSK_WITH_AES_128_GCM_SHA256"}
	s := serveDTLS(t, cfg, gateway.Limits{}, listenertest.Send)
	other := s.dial(t, asMeter(0xc0, 0xff, 0xee)...)
	for _, body := range [][]byte{
		nil,
		{0},
		{0, 0},
		{0, 1, 'x'},
		{0, 1, 'x', 0},
		{0, 1, 'x', 1},
		{0, 1, 'x', 255, 4},
		{255, 255, 'x'},
		{0, 7, 'm', 'e', 't', 'e', 'r', '-', '1'},
		append([]byte{0, 7, 'm', 'e', 't', 'e', 'r', '-', '1', 32}, make([]byte, 32)...),
	} {
		c := halfwayClient(t, s, 0xc037)
		c.send(append(dtls.ARecord(22, 0, dtls.AMessage(16, 2, body)...), dtls.ARecord(20, 0, 1)...))
		dtlsEchoes(t, other, "still served")
	}
	dtlsEchoes(t, s.dial(t, asMeter(0xc0, 0xff, 0xee)...), "served too")
}

// sniffer notes the server's random.
type sniffer struct {
	net.PacketConn
	mu     sync.Mutex
	random []byte
}

func (s *sniffer) ReadFrom(b []byte) (int, net.Addr, error) {
	n, addr, err := s.PacketConn.ReadFrom(b)
	if err == nil && n > 59 && b[0] == 22 && b[13] == 2 {
		s.mu.Lock()
		s.random = bytes.Clone(b[27:59])
		s.mu.Unlock()
	}
	return n, addr, err
}

// An authentic client's record that is nothing but CBC padding ended the whole process with the library's version 2.
func TestDTLSSurvivesARecordOfPadding(t *testing.T) {
	cfg := certDTLS(t)
	cfg.Ciphers = []string{"TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA"}
	s := serveDTLS(t, cfg, gateway.Limits{}, listenertest.Send)
	cbc := pion.WithCipherSuites(pion.TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA)
	other := s.dial(t, cbc)

	socket := &sniffer{PacketConn: udpSocket(t, "127.0.0.1:0")}
	var keys bytes.Buffer
	c, err := s.client(t, socket, cbc, pion.WithKeyLogWriter(&keys))
	if err != nil {
		t.Fatal(err)
	}
	dtlsEchoes(t, c, "hello")
	block := clientCipher(t, keys.String(), socket.random)
	for sequence, blocks := range []int{1, 2, 3, 15, 16} {
		padding := bytes.Repeat([]byte{byte(16*blocks - 1)}, 16*blocks)
		iv := bytes.Repeat([]byte{7}, 16)
		cipher.NewCBCEncrypter(block, iv).CryptBlocks(padding, padding)
		r := dtls.ARecord(23, 1, append(iv, padding...)...)
		r[10] = byte(100 + sequence)
		if _, err := socket.WriteTo(r, s.addr()); err != nil {
			t.Fatal(err)
		}
	}
	dtlsEchoes(t, other, "still served")
	dtlsEchoes(t, c, "even the attacker")
}

// clientCipher is the block cipher of a client's records in AES-256-CBC-SHA.
func clientCipher(t *testing.T, keyLog string, serverRandom []byte) cipher.Block {
	t.Helper()
	var label, random, master string
	if _, err := fmt.Sscan(keyLog, &label, &random, &master); err != nil {
		t.Fatal(err)
	}
	clientRandom, _ := hex.DecodeString(random)
	secret, _ := hex.DecodeString(master)
	keys, err := prf.GenerateEncryptionKeys(secret, clientRandom, serverRandom, 20, 32, 16, sha256.New)
	if err != nil {
		t.Fatal(err)
	}
	block, err := aes.NewCipher(keys.ClientWriteKey)
	if err != nil {
		t.Fatal(err)
	}
	return block
}

// Unauthenticated records do not end a session, neither during nor after its handshake.
func TestDTLSSurvivesSpoofedPlaintext(t *testing.T) {
	s := serveDTLS(t, certDTLS(t), gateway.Limits{}, listenertest.Send)
	for _, talked := range []bool{false, true} {
		socket := udpSocket(t, "127.0.0.1:0")
		c, err := s.client(t, socket)
		if err != nil {
			t.Fatal(err)
		}
		<-s.Info
		if talked {
			dtlsEchoes(t, c, "hello")
		}
		for number, b := range [][]byte{
			dtls.ARecord(23, 0, []byte("spoofed")...), dtls.ARecord(21, 0, 2, 40), dtls.ARecord(21, 0, 1, 0),
			dtls.ARecord(99, 0, 1),
			dtls.ARecord(24, 0, 1), dtls.ARecord(25, 1, make([]byte, 40)...), dtls.ARecord(20, 0, 9),
			dtls.ARecord(20, 0),
			dtls.ARecord(22, 0, dtls.AMessage(0, 0, nil)...),
			dtls.ARecord(22, 0, dtls.AMessage(20, 7, make([]byte, 12))...),
			dtls.AHello(0, 0xc02b),
			{},
			{22},
			bytes.Repeat([]byte{0xff}, 1500),
		} {
			if len(b) >= 13 {
				b[9], b[10] = 1, byte(number) // or it would be taken for a replay
			}
			if _, err := socket.WriteTo(b, s.addr()); err != nil {
				t.Fatal(err)
			}
		}
		dtlsEchoes(t, c, "still there")
		_ = c.Close()
		if r := <-s.Closed; !r.Is(gateway.ReasonSSLClosed) {
			t.Errorf("closed with %v", r)
		}
	}
}

// Under thousands of hellos from forged sources, old and new devices are served, and the memory is released.
func TestDTLSSpoofedHellos(t *testing.T) {
	cfg := certDTLS(t)
	cfg.NewPeersPerSecond = 800_000
	cfg.SetMaxUnverified(256)
	s := serveDTLS(t, cfg, gateway.Limits{}, listenertest.Send)
	device := s.dial(t)
	dtlsEchoes(t, device, "before")
	goroutines, before := runtime.NumGoroutine(), gatewaytest.MemoryInUse()
	const hellos = 10_000
	for i := range hellos {
		sendFrom(t, net.IPv4(127, byte(1+i%200), byte(i/200), 1), dtls.AHello(0, 0xc02b), s.addr())
		if i%1000 == 0 {
			dtlsEchoes(t, device, "during")
		}
		if u, _ := s.listener.Pending(); u > 256 {
			t.Fatalf("%d unverified sources", u)
		}
	}
	dtlsEchoes(t, s.dial(t), "a new one")
	dtlsEchoes(t, device, "after")
	gatewaytest.Eventually(t, "the sources to be forgotten",
		func() bool { u, v := s.listener.Pending(); return u == 0 && v == 0 && s.listener.Peers() == 2 })
	gatewaytest.Eventually(t, "the goroutines to end", func() bool { return runtime.NumGoroutine() <= goroutines+8 })
	gatewaytest.Eventually(t, "the memory", func() bool {
		return gatewaytest.MemoryInUse() < before+
			listenertest.KeptByGo
	})
}

// sendFrom sends one datagram from an address of its own.
func sendFrom(t testing.TB, source net.IP, b []byte, to *net.UDPAddr) {
	t.Helper()
	socket, err := net.ListenUDP("udp", &net.UDPAddr{IP: source})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = socket.Close() }()
	if _, err := socket.WriteTo(b, to); err != nil {
		t.Fatal(err)
	}
}

// Stalled handshakes are evicted by later ones, and their memory is released.
func TestDTLSHalfOpenHandshakes(t *testing.T) {
	cfg := certDTLS(t)
	cfg.NewPeersPerSecond = 800_000 // an eighth from one prefix
	cfg.MaxHandshakes, cfg.HandshakeTimeout = 128, 3*time.Second
	s := serveDTLS(t, cfg, gateway.Limits{}, listenertest.Send)
	device := s.dial(t)
	dtlsEchoes(t, device, "before")
	goroutines, before := runtime.NumGoroutine(), gatewaytest.MemoryInUse()
	const halfOpen = 1000
	for i := range halfOpen {
		halfwayClient(t, s, 0xc02b)
		if i%100 == 0 {
			dtlsEchoes(t, device, "during")
		}
		if _, v := s.listener.Pending(); v > 128 {
			t.Fatalf("%d handshakes at once", v)
		}
	}
	dtlsEchoes(t, s.dial(t), "a new one")
	dtlsEchoes(t, device, "after")
	gatewaytest.Eventually(t, "the handshakes to end",
		func() bool { _, v := s.listener.Pending(); return v == 0 && s.listener.Peers() == 2 })
	evicted, late := s.Count(t, "exgate_dtls_handshakes_total", "evicted"),
		s.Count(t, "exgate_dtls_handshakes_total", "timeout")
	if evicted == 0 || evicted+late < halfOpen {
		t.Errorf("%v evicted, %v too late, want all %d", evicted, late, halfOpen)
	}
	gatewaytest.Eventually(t, "the goroutines to end", func() bool { return runtime.NumGoroutine() <= goroutines+8 })
	gatewaytest.Eventually(t, "the memory", func() bool {
		return gatewaytest.MemoryInUse() < before+
			listenertest.KeptByGo
	})
}

// FuzzDTLS feeds a listener with datagrams of one source, some of them behind a real hello: others stay served.
func FuzzDTLS(f *testing.F) {
	cfg := certDTLS(f)
	cfg.MaxPeers, cfg.NewPeersPerSecond = 1_000_000, 8e6
	s := serveDTLS(f, cfg, gateway.Limits{}, listenertest.Send)
	device := s.dial(f)
	hello := dtls.AHello(0, 0xc02b)
	f.Add(hello, hello, false)
	f.Add(dtls.ARecord(22, 0, dtls.AMessage(16, 2, []byte{0, 1, 'x'})...), dtls.ARecord(20, 0, 1), true)
	f.Add(dtls.ARecord(23, 0, 1), dtls.ARecord(23, 1, make([]byte, 40)...), true)
	f.Add(dtls.ARecord(21, 0, 2, 40), []byte(strings.Repeat("x", 100)), true)
	f.Fuzz(func(t *testing.T, first, second []byte, halfway bool) {
		attacker := newRawClient
		if halfway {
			attacker = halfwayClient
		}
		c := attacker(t, s, 0xc02b)
		for _, b := range [][]byte{first, second} {
			if len(b) < 60_000 {
				c.send(b)
			}
		}
		dtlsEchoes(t, device, "still served")
	})
}

// While many sources are silent after their hello, a hello is taken when it comes again: that of a device does, and its
// handshake completes.
func TestDTLSHellosMustComeAgainUnderAFlood(t *testing.T) {
	cfg := certDTLS(t)
	cfg.SetMaxUnverified(40)
	s := serveDTLS(t, cfg, gateway.Limits{}, listenertest.Send)
	dtlsEchoes(t, s.dial(t), "without a flood")
	if n := s.Count(t, "exgate_dtls_dropped_total", "greylisted"); n != 0 {
		t.Fatalf("%v hellos had to come again without a flood", n)
	}
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
				sendFrom(t, net.IPv4(127, byte(1+i%200), byte(i/200), 1), dtls.AHello(0, 0xc02b), s.addr())
			}
		}
	}()
	gatewaytest.Eventually(t, "the flood", func() bool {
		return s.Count(t, "exgate_dtls_dropped_total",
			"greylisted") > 100
	})
	for range 3 {
		dtlsEchoes(t, s.dial(t), "a new device")
	}
	close(stop)
	<-done
	if n := s.Count(t, "exgate_dtls_handshakes_total", "evicted"); n != 0 {
		t.Errorf("%v lost the place in which they prove their address", n)
	}
}
