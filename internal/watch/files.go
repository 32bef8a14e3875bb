package watch

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/exgate/exgate/internal/boundedfile"
)

// Files are a few files that belong together, such as a certificate and its key. They are read again when one of them
// changes.
type Files struct {
	paths []string
	limit int64

	mu      sync.Mutex // guards the fields below
	taken   digest     // of the contents returned last
	seen    digest     // of the contents found last
	since   time.Time  // when a look first found seen
	changed time.Time  // when a look first found contents other than taken; zero if the last look did not
	stamps  []stamp    // of the last read
	read    time.Time  // when the last read began
	problem string     // the error reported last
}

type digest [sha256.Size]byte

// Open reads the files, each of at most limit bytes. Its errors are those of [boundedfile.Read].
func Open(limit int64, paths ...string) (*Files, [][]byte, error) {
	f := &Files{paths: paths, limit: limit}
	contents, sum, err := f.readAll()
	if err != nil {
		return nil, nil, err
	}
	f.taken, f.seen = sum, sum
	return f, contents, nil
}

// Watch calls use with the new contents whenever the files have changed, until ctx ends: usually at once, at the latest
// after Options.Poll. If the files cannot be read, contents are nil; the same error is reported once. The same contents
// are reported once, whatever use does with them.
func (f *Files) Watch(ctx context.Context, o Options, use func(contents [][]byte, err error)) {
	o = o.withDefaults()
	run(ctx, o, f.folders, func() time.Duration {
		contents, again, err := f.look(o.Settle, seenNow)
		switch {
		case err != nil && f.reported(err.Error()):
		case err != nil || contents != nil:
			use(contents, err)
		}
		return again
	})
}

// Look returns the contents if they differ from those returned last and have not changed for settle; otherwise nil. If
// settle is zero, the files may be half written.
func (f *Files) Look(settle time.Duration) (contents [][]byte, err error) {
	contents, _, err = f.look(settle, f.changedLast)
	if err != nil && f.reported(err.Error()) {
		return nil, nil
	}
	return contents, err
}

// look reads the files. It returns their contents if they are new and settled; otherwise the time until the next look,
// where zero means no hurry. since returns when contents found for the first time were written.
func (f *Files) look(
	settle time.Duration, since func(now time.Time) time.Time,
) (contents [][]byte, again time.Duration, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.sureTheSame() {
		return nil, 0, nil
	}
	contents, sum, err := f.readAll()
	if err != nil {
		return nil, 0, err
	}
	now := time.Now()
	if sum != f.seen {
		f.seen, f.since = sum, since(now)
	}
	if sum == f.taken {
		f.changed, f.problem = time.Time{}, ""
		return nil, 0, nil
	}
	if f.changed.IsZero() {
		f.changed = now
	}
	if wait := min(settle-now.Sub(f.since), 10*settle-now.Sub(f.changed)); wait > 0 {
		return nil, wait, nil
	}
	f.taken, f.changed, f.problem = sum, time.Time{}, ""
	return contents, 0, nil
}

func seenNow(now time.Time) time.Time { return now }

// changedLast returns when the files read last were changed, according to the file system, or now if its clock differs
// from ours. The caller holds mu.
func (f *Files) changedLast(now time.Time) (last time.Time) {
	for _, s := range f.stamps {
		if s.changed.After(last) {
			last = s.changed
		}
	}
	if last.IsZero() || last.After(now) {
		return now
	}
	return last
}

// reported reports whether text was the last error, and records it.
func (f *Files) reported(text string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	before := f.problem
	f.problem = text
	return before == text
}

// readAll reads the files. The caller holds mu.
func (f *Files) readAll() (contents [][]byte, sum digest, err error) {
	f.stamps, f.read = nil, time.Now()
	stamps := f.stampsNow() // before reading, so that a change during the read is noticed
	h := sha256.New()
	for _, path := range f.paths {
		content, err := boundedfile.Read(path, f.limit)
		if err != nil {
			return nil, sum, err
		}
		_ = binary.Write(h, binary.BigEndian, int64(len(content)))
		_, _ = h.Write(content)
		contents = append(contents, content)
	}
	f.stamps = stamps
	return contents, digest(h.Sum(nil)), nil
}

// folders returns the folders to watch: those of the paths and of the files that they link to.
func (f *Files) folders() (folders []string) {
	for _, path := range f.paths {
		folders = append(folders, filepath.Dir(path))
		if target, err := filepath.EvalSymlinks(path); err == nil {
			folders = append(folders, filepath.Dir(target))
		}
	}
	return folders
}

// stamp is the file's metadata that changes with its content.
type stamp struct {
	info    os.FileInfo // nil: no such file
	changed time.Time   // zero if the system does not report it
}

func stampOf(path string) stamp {
	info, err := os.Stat(path)
	if err != nil {
		return stamp{}
	}
	return stamp{info, statusChanged(info)}
}

func (s stamp) same(other stamp) bool {
	return s.info != nil && other.info != nil && os.SameFile(s.info, other.info) &&
		s.info.Size() == other.info.Size() &&
		s.info.ModTime().Equal(other.info.ModTime()) && s.changed.Equal(other.changed)
}

func (f *Files) stampsNow() []stamp {
	stamps := make([]stamp, len(f.paths))
	for i, path := range f.paths {
		stamps[i] = stampOf(path)
	}
	return stamps
}

// clockGrain exceeds the resolution of time in file systems: a file written just before a read may be written again
// without a new stamp.
const clockGrain = 2 * time.Second

// sureTheSame reports whether reading is certain to return the contents taken last. The caller holds mu.
func (f *Files) sureTheSame() bool {
	if f.stamps == nil || f.seen != f.taken {
		return false
	}
	for i, now := range f.stampsNow() {
		if !now.same(f.stamps[i]) || f.read.Sub(now.changed) < clockGrain {
			return false
		}
	}
	return true
}
