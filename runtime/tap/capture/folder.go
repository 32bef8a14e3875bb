package capture

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"sync"
	"time"
)

// Folder says where a sample of a listener's connections is recorded.
type Folder struct {
	// Path is the folder. If it does not exist, it is created for this user only. It is required.
	Path string
	// Sample is the percentage of connections that are recorded. If zero, 1.
	Sample float64
	// MaxBytes bounds a file. When a file is full, the capture of its connections ends, and later connections go to the
	// next file. If zero, 16 MiB.
	MaxBytes int64
	// MaxFiles is the number of files of the listener that are kept, including those of earlier runs. The oldest is
	// removed first. If zero, 8.
	MaxFiles int
}

// MinBytes is the minimum of MaxBytes.
const MinBytes = 1 << 20

func (f *Folder) check() error {
	if f.Sample == 0 {
		f.Sample = 1
	}
	if f.MaxBytes == 0 {
		f.MaxBytes = 16 << 20
	}
	if f.MaxFiles == 0 {
		f.MaxFiles = 8
	}
	switch {
	case f.Path == "":
		return errors.New("a capture needs a folder")
	case f.Sample < 0 || f.Sample > 100:
		return fmt.Errorf("the sample must be 0 to 100 percent, not %v", f.Sample)
	case f.MaxBytes < MinBytes || f.MaxFiles < 1:
		return fmt.Errorf("a capture needs at least 1 file of %d bytes", MinBytes)
	}
	return nil
}

// retryAfter is how long nothing is recorded after a write has failed.
const retryAfter = 10 * time.Second

// folder records the sample.
type folder struct {
	point  *point
	cfg    Folder
	ending sync.WaitGroup // streams being ended

	mu      sync.Mutex // guards the fields below
	current *stream    // nil before the first connection
	begun   time.Time  // when current was
	closed  bool
}

func newFolder(p *point, cfg Folder) (*folder, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(cfg.Path, 0o700); err != nil {
		return nil, fmt.Errorf("creating the folder of captures: %w", err)
	}
	return &folder{point: p, cfg: cfg}, nil
}

// sampled decides at random whether a connection is recorded.
func (f *folder) sampled() bool {
	return f.cfg.Sample >= 100 || rand.Float64()*100 < f.cfg.Sample //nolint:gosec // not used for security
}

// attach adds s to the current file, or to a new one if that takes no more.
func (f *folder) attach(s *session) (*stream, uint32) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return nil, 0
	}
	if f.current != nil {
		if n, ok := f.current.join(s); ok {
			return f.current, n
		}
		if f.current.broken() && time.Since(f.begun) < retryAfter {
			return nil, 0
		}
		old := f.current
		f.ending.Go(func() { _ = old.end() }) // errors have been logged
	}
	f.current, f.begun = newStream(f.point.header(), f.create, f.cfg.MaxBytes, f.point.cfg.Logger, f.point.counted),
		time.Now()
	n, ok := f.current.join(s)
	if !ok {
		return nil, 0
	}
	return f.current, n
}

func (f *folder) close() error {
	f.mu.Lock()
	f.closed = true
	last := f.current
	f.mu.Unlock()
	var err error
	if last != nil {
		err = last.end()
	}
	f.ending.Wait()
	return err
}

// stamp is the format of times in file names, which sort by age.
const stamp = "20060102T150405.000000000Z"

// create creates a file and removes the oldest ones above MaxFiles.
func (f *folder) create() (io.WriteCloser, error) {
	name := f.point.name + "-" + time.Now().UTC().Format(stamp) + ".exgc"
	file, err := os.OpenFile(filepath.Join(f.cfg.Path, name), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	if err := f.prune(); err != nil {
		f.point.cfg.Logger.Warn("cannot remove an old capture", "listener", f.point.name, "error", err)
	}
	return file, nil
}

// prune removes the oldest files of the listener.
func (f *folder) prune() error {
	own := regexp.MustCompile("^" + regexp.QuoteMeta(f.point.name) + `-\d{8}T\d{6}\.\d{9}Z\.exgc$`)
	entries, err := os.ReadDir(f.cfg.Path)
	if err != nil {
		return err
	}
	var names []string
	for _, e := range entries {
		if own.MatchString(e.Name()) && e.Type().IsRegular() {
			names = append(names, e.Name())
		}
	}
	slices.Sort(names)
	for len(names) > f.cfg.MaxFiles {
		err = errors.Join(err, os.Remove(filepath.Join(f.cfg.Path, names[0])))
		names = names[1:]
	}
	return err
}
