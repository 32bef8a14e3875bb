package listener

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// certificates are a listener's certificate, its key and the authority of its devices, read from files and read again when those change.
type certificates struct {
	certFile, keyFile, caFile string

	current atomic.Pointer[loadedCertificates]
	log     *slog.Logger
	reloads *prometheus.CounterVec // labelled with the result
	done    chan struct{}
	stop    sync.Once

	mu     sync.Mutex // one reading at a time; guards stamps
	stamps [3]fileStamp
}

// loadedCertificates is what the files held at one moment.
type loadedCertificates struct {
	pair tls.Certificate
	cas  *x509.CertPool // nil without a CA file
}

// fileStamp changes when a file is replaced or written.
type fileStamp struct {
	info os.FileInfo
}

func stampOf(path string) fileStamp {
	info, err := os.Stat(path)
	if err != nil {
		return fileStamp{}
	}
	return fileStamp{info}
}

func (s fileStamp) same(other fileStamp) bool {
	if s.info == nil || other.info == nil {
		return s.info == nil && other.info == nil
	}
	return os.SameFile(s.info, other.info) && s.info.ModTime().Equal(other.info.ModTime()) && s.info.Size() == other.info.Size()
}

// loadCertificates reads the files once. caFile may be empty. The errors name the file.
func loadCertificates(certFile, keyFile, caFile string, log *slog.Logger, reloads *prometheus.CounterVec) (*certificates, error) {
	c := &certificates{certFile: certFile, keyFile: keyFile, caFile: caFile, log: log, reloads: reloads, done: make(chan struct{})}
	c.stamps = c.stampsNow()
	loaded, err := c.read()
	if err != nil {
		return nil, err
	}
	c.current.Store(loaded)
	return c, nil
}

func (c *certificates) read() (*loadedCertificates, error) {
	pair, err := tls.LoadX509KeyPair(c.certFile, c.keyFile)
	if err != nil {
		return nil, fmt.Errorf("reading the certificate %s with the key %s: %w", c.certFile, c.keyFile, err)
	}
	if c.caFile == "" {
		return &loadedCertificates{pair: pair}, nil
	}
	pem, err := os.ReadFile(c.caFile)
	if err != nil {
		return nil, fmt.Errorf("reading the CA certificates: %w", err)
	}
	cas := x509.NewCertPool()
	if !cas.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("reading the CA certificates %s: %w", c.caFile, errNoCertificate)
	}
	return &loadedCertificates{pair, cas}, nil
}

var errNoCertificate = errors.New("no certificate in PEM form in it")

func (c *certificates) stampsNow() [3]fileStamp {
	return [3]fileStamp{stampOf(c.certFile), stampOf(c.keyFile), stampOf(c.caFile)}
}

// watch looks at the files every interval until close, and reports what was loaded to changed.
func (c *certificates) watch(interval time.Duration, changed func()) {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		select {
		case <-c.done:
			return
		case <-ticker.C:
			if c.reload() {
				changed()
			}
		}
	}
}

func (c *certificates) close() { c.stop.Do(func() { close(c.done) }) }

// reload reads the files if one of them has changed since they were last looked at, and reports whether what they hold is in use now. While they
// cannot be read the last good ones stay in use.
func (c *certificates) reload() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.stampsNow() // before the reading: what changes during it is seen the next time
	if c.unchanged(now) {
		return false
	}
	c.stamps = now
	loaded, err := c.read()
	if err != nil {
		c.reloads.WithLabelValues("failed").Inc()
		c.log.Error("certificate files changed and cannot be used: the previous certificate stays in use", "error", err)
		return false
	}
	c.current.Store(loaded)
	c.reloads.WithLabelValues("ok").Inc()
	c.log.Info("certificate files changed and are in use", "cert", c.certFile, "expires", loaded.pair.Leaf.NotAfter)
	return true
}

func (c *certificates) unchanged(now [3]fileStamp) bool {
	for i, stamp := range now {
		if !stamp.same(c.stamps[i]) {
			return false
		}
	}
	return true
}
