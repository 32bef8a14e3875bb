package state

import (
	"errors"
	"fmt"
	"log/slog"

	"github.com/prometheus/client_golang/prometheus"
)

// Config configures a Store. Only Folder is required.
type Config struct {
	// Folder is the directory for the files; nothing else may be in it. If missing, it is created with permissions for
	// its owner only. Required.
	Folder string
	// ValueBytes bounds one value. If zero, [DefaultValueBytes].
	ValueBytes int
	// MaxBytes bounds all values together, in bytes: a value counts its size, its key and 64 bytes more. Beyond it new
	// and larger values are refused. If zero, [DefaultMaxBytes].
	MaxBytes int64
	// Logger receives log messages. If nil, slog.Default().
	Logger *slog.Logger
	// Metrics receives the metrics. If nil, a private unregistered set.
	Metrics *Metrics
}

// The defaults of a Config.
const (
	DefaultValueBytes       = 4 << 10
	DefaultMaxBytes   int64 = 1 << 30
	// MostValueBytes is the largest bound of one value: what fits into an event of a module beside the rest.
	MostValueBytes = 32 << 10
)

func (cfg Config) withDefaults() Config {
	if cfg.ValueBytes == 0 {
		cfg.ValueBytes = DefaultValueBytes
	}
	if cfg.MaxBytes == 0 {
		cfg.MaxBytes = DefaultMaxBytes
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	if cfg.Metrics == nil {
		cfg.Metrics = NewMetrics(nil)
	}
	return cfg
}

func (cfg Config) check() error {
	switch {
	case cfg.Folder == "":
		return errors.New("upstream.state_folder: choose a folder for the state of devices")
	case cfg.ValueBytes < 0 || cfg.ValueBytes > MostValueBytes:
		return fmt.Errorf("upstream.state_bytes: must be 1 to %d, not %d", MostValueBytes, cfg.ValueBytes)
	case cfg.MaxBytes < 0:
		return fmt.Errorf("upstream.state_max_bytes: must be more than 0, not %d", cfg.MaxBytes)
	}
	return nil
}

// The reasons for refusing a value.
const (
	refuseFull   = "full"
	refuseBehind = "disk_behind"
	refuseDisk   = "disk_error"
)

// Metrics has the metrics of a Store.
type Metrics struct {
	bytes    prometheus.Gauge
	values   prometheus.Gauge
	broken   prometheus.Gauge
	saved    prometheus.Counter
	refused  *prometheus.CounterVec // by reason
	commits  prometheus.Counter
	failures prometheus.Counter
}

// NewMetrics registers the metrics with reg. If reg is nil, they are not registered.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: "exgate_state_" + name, Help: help})
	}
	gauge := func(name, help string) prometheus.Gauge {
		return prometheus.NewGauge(prometheus.GaugeOpts{Name: "exgate_state_" + name, Help: help})
	}
	m := &Metrics{
		bytes:  gauge("bytes", "Bytes of the devices' states on disk."),
		values: gauge("values", "Devices with a state on disk."),
		broken: gauge("unwritable", "1 while the disk of the devices' states cannot be written to."),
		saved:  counter("saved_total", "States of devices that were put on disk or deleted."),
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "exgate_state_refused_total", Help: "States of devices that were not put on disk, by reason.",
		}, []string{"reason"}),
		commits:  counter("commits_total", "Times that the disk was synced for all states that waited."),
		failures: counter("disk_errors_total", "Times that the disk failed, until it worked again."),
	}
	if reg != nil {
		reg.MustRegister(m.bytes, m.values, m.broken, m.saved, m.refused, m.commits, m.failures)
	}
	return m
}
