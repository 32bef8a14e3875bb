package certs

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/exgate/exgate/internal/watch"
)

// Files holds a listener's certificate, its key and the CA of its devices, and reloads them when the files change.
type Files struct {
	certFile, keyFile, caFile string

	current atomic.Pointer[Loaded]
	log     *slog.Logger
	reloads *prometheus.CounterVec // by result
	files   *watch.Files
	watched context.Context
	stop    context.CancelFunc

	mu sync.Mutex // serializes reloads
}

// Loaded is the content of the files at one moment.
type Loaded struct {
	Pair tls.Certificate
	CAs  *x509.CertPool // nil without a CA file
}

// maxCertFile bounds each of the files, in bytes.
const maxCertFile = 16 << 20

// Load reads the files. caFile may be empty. m, which may be nil, counts reloads for listener. Errors name the file.
func Load(certFile, keyFile, caFile string, log *slog.Logger, m *Metrics, listener string) (*Files, error) {
	if m == nil {
		m = NewMetrics(nil)
	}
	c := &Files{
		certFile: certFile, keyFile: keyFile, caFile: caFile, log: log,
		reloads: m.reloads.MustCurryWith(prometheus.Labels{"listener": listener}),
	}
	paths := []string{certFile, keyFile}
	if caFile != "" {
		paths = append(paths, caFile)
	}
	files, contents, err := watch.Open(maxCertFile, paths...)
	if err != nil {
		return nil, c.unreadable(err)
	}
	loaded, err := c.parse(contents)
	if err != nil {
		return nil, err
	}
	c.files = files
	c.watched, c.stop = context.WithCancel(context.Background())
	c.current.Store(loaded)
	return c, nil
}

func (c *Files) unreadable(err error) error {
	if of, ok := errors.AsType[*fs.PathError](err); ok && of.Path == c.caFile {
		return fmt.Errorf("reading the CA certificates: %w", err)
	}
	return fmt.Errorf("reading the certificate %s with the key %s: %w", c.certFile, c.keyFile, err)
}

// parse parses the contents of the certificate, the key and, if set, the CA file.
func (c *Files) parse(contents [][]byte) (*Loaded, error) {
	pair, err := tls.X509KeyPair(contents[0], contents[1])
	if err != nil {
		return nil, c.unreadable(err)
	}
	if c.caFile == "" {
		return &Loaded{Pair: pair}, nil
	}
	cas := x509.NewCertPool()
	if !cas.AppendCertsFromPEM(contents[2]) {
		return nil, fmt.Errorf("reading the CA certificates %s: %w", c.caFile, errNoCertificate)
	}
	return &Loaded{pair, cas}, nil
}

var errNoCertificate = errors.New("no PEM certificate")

// Current returns the last good content of the files.
func (c *Files) Current() *Loaded { return c.current.Load() }

// Watch reloads the files when they change, checking at least every interval, until Close. It calls changed after each
// successful reload.
func (c *Files) Watch(interval time.Duration, changed func()) {
	if text := outOfDate(c.current.Load().Pair.Leaf, time.Now()); text != "" {
		c.log.Warn("the certificate is not currently valid; devices that verify it will refuse it", "cert", c.certFile,
			"validity", text)
	}
	c.files.Watch(c.watched, watch.Options{Poll: interval, Logger: c.log}, func(contents [][]byte, err error) {
		if c.take(contents, err) {
			changed()
		}
	})
}

func (c *Files) Close() { c.stop() }

// Reload reads the files now if one of them has changed, and reports whether the new content is in use.
func (c *Files) Reload() bool {
	contents, err := c.files.Look(0)
	return (contents != nil || err != nil) && c.take(contents, err)
}

// refuseOutOfDate keeps a certificate that is not valid from taking the place of one that is.
func (c *Files) refuseOutOfDate(loaded *Loaded) error {
	now := time.Now()
	text := outOfDate(loaded.Pair.Leaf, now)
	if text == "" || outOfDate(c.current.Load().Pair.Leaf, now) != "" {
		return nil
	}
	return fmt.Errorf("the certificate %s %s", c.certFile, text)
}

// outOfDate says why cert is not valid now, and returns "" if it is.
func outOfDate(cert *x509.Certificate, now time.Time) string {
	switch {
	case now.After(cert.NotAfter):
		return "expired at " + cert.NotAfter.Format(time.RFC3339)
	case now.Before(cert.NotBefore):
		return "is not valid before " + cert.NotBefore.Format(time.RFC3339)
	}
	return ""
}

// take puts new content in use, or keeps the last good one if it is invalid.
func (c *Files) take(contents [][]byte, err error) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	var loaded *Loaded
	if err != nil {
		err = c.unreadable(err)
	} else {
		loaded, err = c.parse(contents)
	}
	if err == nil {
		err = c.refuseOutOfDate(loaded)
	}
	if err != nil {
		c.reloads.WithLabelValues("failed").Inc()
		c.log.Error("certificate files changed but cannot be used; keeping the previous certificate", "error", err)
		return false
	}
	c.current.Store(loaded)
	c.reloads.WithLabelValues("ok").Inc()
	c.log.Info("reloaded certificate files", "cert", c.certFile, "expires", loaded.Pair.Leaf.NotAfter)
	return true
}
