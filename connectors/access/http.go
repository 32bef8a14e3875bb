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

// HTTPConfig is what an [HTTP] is made with.
type HTTPConfig struct {
	// URL is where logins are asked about, http:// or https://. It is required.
	URL string

	// Headers are sent with each request, an authorization for instance. If zero, only those that HTTP needs.
	Headers http.Header

	// TLS is for https://. If zero, the service needs a certificate that the system trusts.
	TLS *tls.Config

	// Timeout bounds a question, the wait for its turn included. If zero, 5 s.
	Timeout time.Duration

	// MaxInFlight bounds the requests at one time; more wait. If zero, 64.
	MaxInFlight int

	// CacheTTL is how long an answer holds for the same question again. If zero, the service is asked each time.
	CacheTTL time.Duration

	// CacheSize bounds the answers that are kept; the one that was not used for longest makes room. If zero, 10000.
	CacheSize int

	// Proxy chooses the proxy of a request. If zero, none: the environment is not asked.
	Proxy func(*http.Request) (*url.URL, error)

	// Metrics counts. If zero, a private unregistered set.
	Metrics *Metrics
}

// HTTP asks a service over HTTP, in the words of EMQX's HTTP authenticator. It is an [Authenticator].
type HTTP struct {
	url       string
	shown     string // without user and query, which may hold a secret
	headers   http.Header
	timeout   time.Duration
	transport *http.Transport
	client    *http.Client
	turns     chan struct{}
	cache     *answerCache
	metrics   *Metrics

	closing context.Context
	cancel  context.CancelFunc

	mu     sync.Mutex
	asking map[cacheKey]*question // guarded by mu
	closed bool                   // guarded by mu
	done   sync.WaitGroup         // of the questions; added to under mu
}

var _ Authenticator = (*HTTP)(nil)

// NewHTTP returns an authenticator that asks cfg.URL. It sends nothing yet.
func NewHTTP(cfg HTTPConfig) (*HTTP, error) {
	u, err := url.Parse(cfg.URL)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" {
		return nil, errors.New("asking a service who may log in: url must be http://HOST/PATH or https://HOST/PATH")
	}
	if cfg.Timeout < 0 || cfg.MaxInFlight < 0 || cfg.CacheTTL < 0 || cfg.CacheSize < 0 {
		return nil, errors.New("asking a service who may log in: a timeout, bound or time of the cache is negative")
	}
	if cfg.Metrics == nil {
		cfg.Metrics = NewMetrics(nil)
	}
	inFlight := cmp.Or(cfg.MaxInFlight, 64)
	h := &HTTP{
		url: cfg.URL, shown: u.Scheme + "://" + u.Host + u.Path, headers: cfg.Headers.Clone(),
		timeout:   cmp.Or(cfg.Timeout, 5*time.Second),
		transport: newTransport(cfg.TLS, cfg.Proxy, inFlight), turns: make(chan struct{}, inFlight),
		metrics: cfg.Metrics,
		cache:   newAnswerCache(cfg.CacheTTL, cmp.Or(cfg.CacheSize, 10000)), asking: map[cacheKey]*question{},
	}
	h.client = newClient(h.transport)
	h.closing, h.cancel = context.WithCancel(context.Background())
	return h, nil
}

func newTransport(cfg *tls.Config, proxy func(*http.Request) (*url.URL, error), conns int) *http.Transport {
	return &http.Transport{
		Proxy: proxy, TLSClientConfig: cfg, ForceAttemptHTTP2: true, MaxIdleConnsPerHost: conns, MaxConnsPerHost: conns,
		IdleConnTimeout: 90 * time.Second, MaxResponseHeaderBytes: 64 << 10,
	}
}

// newClient follows no redirects: a password goes where the operator said and nowhere else.
func newClient(t *http.Transport) *http.Client {
	return &http.Client{
		Transport: t, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// Close gives up what is being asked and closes the connections. Questions fail from then on.
func (h *HTTP) Close() {
	h.mu.Lock()
	h.closed = true
	h.mu.Unlock()
	h.cancel()
	h.done.Wait()
	h.transport.CloseIdleConnections()
}

// Authenticate asks the service, or waits with whoever asks the same at the moment. 200 says allow, deny or ignore in
// its body, 204 is allow, 401 and 403 are deny. Anything else is an error: another status, no answer in time, a body
// that cannot be read.
func (h *HTTP) Authenticate(ctx context.Context, device gateway.Device, password string) (Answer, error) {
	body, ok := questionBody(device, password)
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
		return Answer{}, fmt.Errorf("%s has not answered: %w", h.shown, ctx.Err())
	}
}
