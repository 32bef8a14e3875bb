package listener

import (
	"errors"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// How long to wait after a failed accept: doubled at each failure in a row. The usual cause is a process that has run
// out of file descriptors; retrying at once would only waste CPU time.
const (
	backoffMin = 5 * time.Millisecond
	backoffMax = time.Second
)

// acceptLoop accepts connections until it is closed, and retries after errors.
type acceptLoop struct {
	log    *slog.Logger
	errors prometheus.Counter
	addr   net.Addr
	once   *sync.Once
	closed chan struct{}
}

func newAcceptLoop(addr net.Addr, log *slog.Logger, m *Metrics) acceptLoop {
	if log == nil {
		log = slog.Default()
	}
	if m == nil {
		m = NewMetrics(nil)
	}
	return acceptLoop{
		log: log, errors: m.acceptErrors.WithLabelValues(addr.String()), addr: addr, once: new(sync.Once),
		closed: make(chan struct{}),
	}
}

func (l *acceptLoop) close(socket net.Listener) error {
	var err error
	l.once.Do(func() {
		close(l.closed)
		err = socket.Close()
	})
	return err
}

func (l *acceptLoop) run(acceptOne func() error) error {
	pause := backoffMin
	for {
		err := acceptOne()
		if err == nil {
			pause = backoffMin
			continue
		}
		if l.isClosed() || errors.Is(err, net.ErrClosed) {
			return nil
		}
		if pause == backoffMin {
			l.log.Error("accept failed, retrying", "address", l.addr, "error", err)
		}
		l.errors.Inc()
		l.wait(pause)
		pause = min(2*pause, backoffMax)
	}
}

func (l *acceptLoop) isClosed() bool {
	select {
	case <-l.closed:
		return true
	default:
		return false
	}
}

func (l *acceptLoop) wait(d time.Duration) {
	select {
	case <-time.After(d):
	case <-l.closed:
	}
}
