package listener

import (
	"context"
	"fmt"
	"hash/maphash"
	"log/slog"
	"os"
	"strings"
	"time"
)

// accessPoll is how often an access file is looked at. Reading it costs less than knowing for sure from its times that it did not change.
const accessPoll = 2 * time.Second

// AccessFile is an access list in a file: one rule a line as [ParseAccess] takes them, empty lines, and comments from # to the end of a line.
type AccessFile struct {
	path string
	log  *slog.Logger
	list *AccessList
	seed maphash.Seed

	// Owned by Watch once it runs.
	loaded  uint64 // the content in force
	seen    uint64 // the content at the last look
	problem string // what was logged last
}

// LoadAccess reads the file at path. An error names the file, the line and the rule. A nil log is slog.Default().
func LoadAccess(path string, log *slog.Logger) (*AccessFile, error) {
	if log == nil {
		log = slog.Default()
	}
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading the access list: %w", err)
	}
	list, err := parseAccessFile(path, content)
	if err != nil {
		return nil, err
	}
	f := &AccessFile{path: path, log: log, list: list, seed: maphash.MakeSeed()}
	f.loaded = maphash.Bytes(f.seed, content)
	return f, nil
}

// List is what the file held when it was loaded.
func (f *AccessFile) List() *AccessList { return f.list }

// Watch passes the file's list to set when it has changed, within about 4 s, until ctx ends. A file that is broken or gone is logged once and
// leaves the last good list in force. Call it once.
func (f *AccessFile) Watch(ctx context.Context, set func(*AccessList)) {
	tick := time.NewTicker(accessPoll)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			f.poll(set)
		}
	}
}

func (f *AccessFile) poll(set func(*AccessList)) {
	list, err := f.changed()
	switch {
	case err == nil && list == nil:
	case err == nil:
		f.problem = ""
		set(list)
		f.log.Info("access list reloaded", "file", f.path, "rules", list.Len())
	case err.Error() != f.problem:
		f.problem = err.Error()
		f.log.Error("access list not reloaded, the last good one stays in force", "error", err)
	}
}

// changed returns the list of a file that has changed and, as it may be half written, was the same at two looks in a row; else nil.
func (f *AccessFile) changed() (*AccessList, error) {
	content, err := os.ReadFile(f.path)
	if err != nil {
		return nil, fmt.Errorf("reading the access list: %w", err)
	}
	sum := maphash.Bytes(f.seed, content)
	settled := sum == f.seen
	f.seen = sum
	if sum == f.loaded || !settled {
		return nil, nil
	}
	list, err := parseAccessFile(f.path, content)
	if err == nil {
		f.loaded = sum
	}
	return list, err
}

func parseAccessFile(path string, content []byte) (*AccessList, error) {
	list := new(AccessList)
	number := 0
	for line := range strings.Lines(string(content)) {
		number++
		rule, _, _ := strings.Cut(line, "#")
		rule = strings.TrimSpace(rule)
		if rule == "" {
			continue
		}
		if err := list.add(rule); err != nil {
			return nil, fmt.Errorf("access list %s, line %d, %q: %w", path, number, rule, err)
		}
	}
	return list, nil
}
