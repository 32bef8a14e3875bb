package dtls

import (
	"errors"
	"net"
	"os"
	"testing"
	"testing/synctest"
	"time"
)

func TestDatagramPipe(t *testing.T) {
	p, from := newDatagramPipe(nil), &path{}
	for _, s := range []string{"one", "two", ""} {
		if !p.push([]byte(s), from) {
			t.Fatal("an empty pipe is full")
		}
	}
	b := make([]byte, 10)
	for _, want := range []string{"one", "two", ""} {
		if n, addr, err := p.ReadFrom(b); err != nil || string(b[:n]) != want || addr != net.Addr(from) {
			t.Errorf("%q from %v, %v", b[:n], addr, err)
		}
	}
}

func TestDatagramPipeIsBounded(t *testing.T) {
	for name, size := range map[string]int{"datagrams": 1, "bytes": 8 << 10} {
		p := newDatagramPipe(nil)
		n := 0
		for p.push(make([]byte, size), nil) {
			n++
		}
		if want := min(handshakeRoom.datagrams, handshakeRoom.bytes/size); n != want {
			t.Errorf("%s: took %d, want %d", name, n, want)
		}
	}
}

func TestDatagramPipeDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newDatagramPipe(nil)
		read := make(chan error)
		reader := func() { _, _, err := p.ReadFrom(make([]byte, 10)); read <- err }

		start := time.Now()
		_ = p.SetDeadline(start.Add(time.Minute))
		go reader()
		if err := <-read; !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(start) != time.Minute {
			t.Errorf("%v after %v", err, time.Since(start))
		}
		_ = p.SetReadDeadline(time.Time{})
		go reader()
		synctest.Wait()
		_ = p.SetReadDeadline(time.Unix(0, 1)) // as the library does to wake its reader
		if err := <-read; !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Error(err)
		}
		_ = p.SetReadDeadline(time.Time{})
		go reader()
		synctest.Wait()
		p.push([]byte("x"), nil)
		if err := <-read; err != nil {
			t.Error(err)
		}
		p.push([]byte("lost"), nil)
		_ = p.Close()
		go reader()
		if err := <-read; !errors.Is(err, net.ErrClosed) {
			t.Error(err)
		}
		if p.push([]byte("x"), nil) {
			t.Error("a closed pipe takes datagrams")
		}
		if _, err := p.WriteTo([]byte("x"), &path{}); !errors.Is(err, net.ErrClosed) {
			t.Error(err)
		}
	})
}
