package access

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/exgate/exgate/runtime/gateway"
)

// HTTPConfig configures an [HTTP].
type HTTPConfig struct {
	// URL is the address of the service, http:// or https://. Required.
	URL string

	// Headers are sent with each request, for example an Authorization. If zero, only the headers that HTTP requires.
	Headers http.Header

	// TLS is the client configuration for https://. If zero, the service's certificate must be trusted by the system.
	TLS *tls.Config

	// Timeout limits one login, including the wait for a free request. If zero, 5 s.
	Timeout time.Duration

	// CacheTTL is how long an answer is reused for an identical login. If zero, the service is called for each login.
	CacheTTL time.Duration

	// Metrics counts answers and cache hits. If zero, a private unregistered set.
	Metrics *Metrics
}

// maxInFlight limits the concurrent requests; further logins wait.
const maxInFlight = 64

// HTTP is an [Authenticator] that calls a web service, with the request and response format of EMQX's HTTP
// authenticator.
type HTTP struct {
	url       string
	display   string // without user and query, which may contain a secret
	headers   http.Header
	timeout   time.Duration
	transport *http.Transport
	client    *http.Client
	slots     chan struct{}
	cache     *answerCache
	metrics   *Metrics

	closing context.Context
	cancel  context.CancelFunc

	mu       sync.Mutex
	inFlight map[cacheKey]*request // guarded by mu
	closed   bool                  // guarded by mu
	done     sync.WaitGroup        // the requests; added to under mu
}

var _ Authenticator = (*HTTP)(nil)

// NewHTTP returns an authenticator that calls cfg.URL. It sends nothing yet.
func NewHTTP(cfg HTTPConfig) (*HTTP, error) {
	u, err := url.Parse(cfg.URL)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" {
		return nil, errors.New("http authenticator: url must be http://HOST/PATH or https://HOST/PATH")
	}
	if cfg.Timeout < 0 || cfg.CacheTTL < 0 {
		return nil, errors.New("http authenticator: timeout and cache must not be negative")
	}
	if cfg.Metrics == nil {
		cfg.Metrics = NewMetrics(nil)
	}
	h := &HTTP{
		url: cfg.URL, display: u.Scheme + "://" + u.Host + u.Path, headers: cfg.Headers.Clone(),
		timeout:   cmp.Or(cfg.Timeout, 5*time.Second),
		transport: newTransport(cfg.TLS, maxInFlight), slots: make(chan struct{}, maxInFlight),
		metrics: cfg.Metrics,
		cache:   newAnswerCache(cfg.CacheTTL, cacheSize), inFlight: map[cacheKey]*request{},
	}
	h.client = newClient(h.transport)
	h.closing, h.cancel = context.WithCancel(context.Background())
	return h, nil
}

// newTransport uses no proxy, not even one that the environment names.
func newTransport(cfg *tls.Config, conns int) *http.Transport {
	return &http.Transport{
		TLSClientConfig: cfg, ForceAttemptHTTP2: true, MaxIdleConnsPerHost: conns, MaxConnsPerHost: conns,
		IdleConnTimeout: 90 * time.Second, MaxResponseHeaderBytes: 64 << 10,
	}
}

// newClient follows no redirects: a password is sent only to the address in the configuration.
func newClient(t *http.Transport) *http.Client {
	return &http.Client{
		Transport: t, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// Close cancels the requests in flight and closes the connections. Later logins fail.
func (h *HTTP) Close() {
	h.mu.Lock()
	h.closed = true
	h.mu.Unlock()
	h.cancel()
	h.done.Wait()
	h.transport.CloseIdleConnections()
}

// Authenticate calls the service, or waits for an identical request in flight. A 200 means allow, deny or ignore
// according to its body, 204 means allow, 401 and 403 mean deny. Everything else is an error: other status codes, no
// answer in time, an unreadable body.
func (h *HTTP) Authenticate(ctx context.Context, device gateway.Device, password string) (Answer, error) {
	body, ok := requestBody(device, password)
	if !ok {
		return Answer{Decision: Deny, Reason: "client id, username or password is not UTF-8 text"}, nil
	}
	key := h.cache.keyOf(device, password)
	if h.cache.on() {
		if answer, ok := h.cache.get(key); ok {
			h.metrics.cache.WithLabelValues("hit").Inc()
			return answer, nil
		}
		h.metrics.cache.WithLabelValues("miss").Inc()
	}
	q, err := h.join(key, body)
	if err != nil {
		return Answer{}, err
	}
	h.metrics.waiting.Inc()
	defer h.metrics.waiting.Dec()
	select {
	case <-q.done:
		return q.answer, q.err
	case <-ctx.Done():
		return Answer{}, fmt.Errorf("no answer from %s: %w", h.display, ctx.Err())
	}
}
