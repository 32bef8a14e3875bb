package dial

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/exgate/exgate/internal/watch"
)

// filePoll is how often a file of targets is checked, and how long it must be unchanged before it is read: it may be
// half written.
const filePoll = 2 * time.Second

// File is a list of targets in a file: one [ParseTarget] target a line, empty lines, and lines that begin with #.
type File struct {
	path  string
	files *watch.Files // the one file
	list  List
}

// LoadFile reads the file at path, of at most 16 MiB. Lines that are wrong are in [List.Wrong]; an error means that the
// file cannot be read or is empty.
func LoadFile(path string) (*File, error) {
	files, contents, err := watch.Open(maxFile, path)
	if err != nil {
		return nil, fmt.Errorf("reading the list of targets: %w", err)
	}
	list, err := parseFile(path, contents[0])
	if err != nil {
		return nil, err
	}
	return &File{path: path, files: files, list: list}, nil
}

// List returns the list as it was loaded.
func (f *File) List() List { return f.list }

// watch passes a new list to use within about 4 s of a change, until ctx ends. A missing or empty file is logged once
// and changes nothing.
func (f *File) watch(ctx context.Context, log *slog.Logger, use func(List)) {
	o := watch.Options{Poll: filePoll, Settle: filePoll, PollOnly: true, Logger: log}
	f.files.Watch(ctx, o, func(contents [][]byte, err error) {
		var list List
		if err == nil {
			list, err = parseFile(f.path, contents[0])
		} else {
			err = fmt.Errorf("reading the list of targets: %w", err)
		}
		if err != nil {
			log.Error("list of targets not reloaded; keeping the last good one", "error", err)
			return
		}
		use(list)
	})
}
