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

// Files are a few files that belong together, such as a certificate and its key, and are read again when the content of
// one changes.
type Files struct {
	paths []string
	limit int64

	mu      sync.Mutex // guards the fields below
	taken   digest     // of what was returned last
	seen    digest     // of what the last look found
	since   time.Time  // when a look first found that
	changed time.Time  // when a look first found something else than taken; zero: the last one did not
	stamps  []stamp    // of the last reading
	read    time.Time  // when that began
	problem string     // what was reported last
}

type digest [sha256.Size]byte

// Open reads the files, each of at most limit bytes. The errors are those of [boundedfile.Read].
func Open(limit int64, paths ...string) (*Files, [][]byte, error) {
	f := &Files{paths: paths, limit: limit}
	contents, sum, err := f.readAll()
	if err != nil {
		return nil, nil, err
	}
	f.taken, f.seen = sum, sum
	return f, contents, nil
}

// Watch calls use with the files whenever they have changed, until ctx ends: usually at once, within Options.Poll at
// the latest. contents are nil where they cannot be read; the same error comes once. The same contents come once,
// whatever use makes of them.
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

// Look returns the files if they have changed since they were returned last and have been the same for settle, and else
// nil. With zero, they may be half written.
func (f *Files) Look(settle time.Duration) (contents [][]byte, err error) {
	contents, _, err = f.look(settle, f.changedLast)
	if err != nil && f.reported(err.Error()) {
		return nil, nil
	}
	return contents, err
}

// look reads the files again. It returns their contents where they are others than before and have settled, and else
// when to look again; zero: at leisure. since says since when contents that were not seen before have been the same.
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

// changedLast is when the files that were just read changed last, as far as the system says, and now where its clock is
// another. The caller holds mu.
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

// reported reports whether text was the last problem, and makes it that.
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
	stamps := f.stampsNow() // before the reading: what changes during it is read again
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

// folders are where notifications have to come from: the folders of the paths, and of the files that they lead to.
func (f *Files) folders() (folders []string) {
	for _, path := range f.paths {
		folders = append(folders, filepath.Dir(path))
		if target, err := filepath.EvalSymlinks(path); err == nil {
			folders = append(folders, filepath.Dir(target))
		}
	}
	return folders
}

// stamp is what the system says of a file that changes with its content.
type stamp struct {
	info    os.FileInfo // nil: none
	changed time.Time   // zero where the system does not say
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

// clockGrain is more than the steps in which file systems count time: what was written just before a reading may be
// written again without a new stamp.
const clockGrain = 2 * time.Second

// sureTheSame reports whether a reading would bring what was taken last. The caller holds mu.
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
