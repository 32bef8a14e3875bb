package admission

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/exgate/exgate/internal/watch"
)

// accessPoll is how often an access file is checked, and how long it must be unchanged before it is read: it may be
// half written.
const accessPoll = 2 * time.Second

// maxAccessFile bounds an access file, in bytes.
const maxAccessFile = 64 << 20

// AccessFile is an access list in a file: one [ParseAccess] rule per line, empty lines, and comments from # to the end
// of a line. An empty file is an error.
type AccessFile struct {
	path  string
	files *watch.Files // the one file
	log   *slog.Logger
	list  *AccessList
}

// LoadAccess reads the file at path, of at most 64 MiB. An error names the file, the line and the rule. A nil log is
// slog.Default().
func LoadAccess(path string, log *slog.Logger) (*AccessFile, error) {
	if log == nil {
		log = slog.Default()
	}
	files, contents, err := watch.Open(maxAccessFile, path)
	if err != nil {
		return nil, fmt.Errorf("reading the access list: %w", err)
	}
	list, err := parseAccessFile(path, contents[0])
	if err != nil {
		return nil, err
	}
	return &AccessFile{path: path, files: files, log: log, list: list}, nil
}

// List returns the list as it was loaded.
func (f *AccessFile) List() *AccessList { return f.list }

// Watch passes the new list to set within about 4 s of a change, until ctx ends. A broken or missing file is logged
// once and keeps the last good list in force. Call it once.
func (f *AccessFile) Watch(ctx context.Context, set func(*AccessList)) {
	o := watch.Options{Poll: accessPoll, Settle: accessPoll, PollOnly: true, Logger: f.log}
	f.files.Watch(ctx, o, func(contents [][]byte, err error) {
		var list *AccessList
		if err == nil {
			list, err = parseAccessFile(f.path, contents[0])
		} else {
			err = fmt.Errorf("reading the access list: %w", err)
		}
		if err != nil {
			f.log.Error("access list not reloaded; keeping the last good one", "error", err)
			return
		}
		set(list)
		f.log.Info("access list reloaded", "file", f.path, "rules", list.Len())
	})
}

func parseAccessFile(path string, content []byte) (*AccessList, error) {
	if len(bytes.TrimSpace(content)) == 0 { // the empty file of a full disk or an editor must not allow everyone
		return nil, fmt.Errorf("access list %s is empty: write allow all to allow every address", path)
	}
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
