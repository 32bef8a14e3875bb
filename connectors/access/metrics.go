package access

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/exgate/exgate/runtime/gateway"
)

// Metrics counts the answers of authenticators.
type Metrics struct {
	answers *prometheus.CounterVec   // by method and result: allow, deny, ignore, error
	seconds *prometheus.HistogramVec // by method
	cache   *prometheus.CounterVec   // by result: hit, miss
	waiting prometheus.Gauge
}

// NewMetrics registers the metrics with reg, unless reg is nil.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	m := &Metrics{
		answers: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "exgate_auth_total", Help: "Logins decided by an authenticator, by method and result.",
		}, []string{"method", "result"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "exgate_auth_seconds", Help: "Time an authenticator took, by method.",
			Buckets: []float64{.0001, .001, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5},
		}, []string{"method"}),
		cache: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "exgate_auth_cache_total",
			Help: "Logins looked up in the cache of the HTTP authenticator, by result.",
		}, []string{"result"}),
		waiting: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "exgate_auth_waiting", Help: "Logins waiting for an answer of the HTTP authenticator.",
		}),
	}
	if reg != nil {
		reg.MustRegister(m.answers, m.seconds, m.cache, m.waiting)
	}
	return m
}

// Measure wraps a and counts its answers under method, the name of its [Link].
func (m *Metrics) Measure(method string, a Authenticator) Authenticator {
	return &measured{Authenticator: a, metrics: m, method: method}
}

type measured struct {
	Authenticator
	metrics *Metrics
	method  string
}

func (a *measured) Authenticate(ctx context.Context, device gateway.Device, password string) (Answer, error) {
	began := time.Now()
	answer, err := a.Authenticator.Authenticate(ctx, device, password)
	a.metrics.seconds.WithLabelValues(a.method).Observe(time.Since(began).Seconds())
	result := answer.Decision.String()
	if err != nil {
		result = "error"
	}
	a.metrics.answers.WithLabelValues(a.method, result).Inc()
	return answer, err
}
