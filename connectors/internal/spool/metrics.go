package spool

import "github.com/prometheus/client_golang/prometheus"

// Reasons for dropping a record and for refusing an append.
const (
	dropExpired    = "expired"
	dropDeviceFull = "device_full"
	dropFull       = "full"
	dropUnreadable = "unreadable"

	refuseDeviceFull = "device_full"
	refuseFull       = "full"
	refuseBehind     = "disk_behind"
	refuseLarge      = "too_large"
	refuseDisk       = "disk_error"
)

// Metrics has the metrics of a Spool.
type Metrics struct {
	records  prometheus.Gauge
	bytes    prometheus.Gauge
	devices  prometheus.Gauge
	appended prometheus.Counter
	removed  prometheus.Counter
	aside    prometheus.Counter
	dropped  *prometheus.CounterVec // by reason
	refused  *prometheus.CounterVec // by reason
	commits  prometheus.Counter
	seconds  prometheus.Histogram
	failures prometheus.Counter

	// Bypassed counts refused messages that the caller delivered without the spool.
	Bypassed prometheus.Counter
}

// NewMetrics registers the metrics with reg. If reg is nil, they are not registered.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: "exgate_spool_" + name, Help: help})
	}
	gauge := func(name, help string) prometheus.Gauge {
		return prometheus.NewGauge(prometheus.GaugeOpts{Name: "exgate_spool_" + name, Help: help})
	}
	vector := func(name, help string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: "exgate_spool_" + name, Help: help},
			[]string{"reason"})
	}
	m := &Metrics{
		records:  gauge("records", "Messages on disk that the broker does not have yet."),
		bytes:    gauge("bytes", "Bytes of the messages on disk, and of those that wait to be written."),
		devices:  gauge("devices", "Devices with messages on disk."),
		appended: counter("appended_total", "Messages that were put on disk."),
		removed:  counter("removed_total", "Messages on disk that the broker has taken."),
		aside: counter(
			"set_aside_total", "Messages on disk that the broker ends connections for, moved to the folder refused."),
		dropped: vector("dropped_total", "Messages on disk that were dropped, by reason."),
		refused: vector("refused_total", "Messages that were not put on disk, by reason."),
		commits: counter("commits_total", "Times that the disk was synced for all messages that waited."),
		seconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "exgate_spool_commit_seconds", Help: "Time to write the queued records and sync the disk.",
			Buckets: prometheus.ExponentialBuckets(0.0001, 2, 16), // 0.1 ms to 3.3 s
		}),
		failures: counter("disk_errors_total", "Times that the disk failed, until it worked again."),
		Bypassed: counter("bypassed_total", "Refused messages that were published without being put on disk first."),
	}
	if reg != nil {
		reg.MustRegister(m.records, m.bytes, m.devices, m.appended, m.removed, m.aside, m.dropped, m.refused, m.commits,
			m.seconds, m.failures, m.Bypassed)
	}
	return m
}
