// Package boundedfile reads files written by others: only regular files, and only up to a limit. It rejects a named
// pipe, device, socket or folder without blocking on it, even if one replaces the file between two system calls.
package boundedfile

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"
)

// ErrNotRegular is wrapped by the error for anything other than a regular file.
var ErrNotRegular = errors.New("not a regular file")

// ErrTooLarge is wrapped by the error for a file above the limit.
var ErrTooLarge = errors.New("too large")

// Read returns the content of the regular file at path; symbolic links are followed. A file of more than limit bytes is
// an error, and is not read any further. Errors are a [fs.PathError] that wraps [ErrNotRegular], [ErrTooLarge] or an
// error of the system, such as [fs.ErrNotExist].
func Read(path string, limit int64) ([]byte, error) {
	return read(path, limit, Regular)
}

// ReadArgument is Read for a file named on the command line. It also reads a pipe, such as a shell makes for
// <(command), until the other end is closed. A pipe without data is an error.
func ReadArgument(path string, limit int64) ([]byte, error) {
	content, err := read(path, limit, regularOrPipe)
	if err == nil && len(content) == 0 && isPipe(path) {
		return nil, &fs.PathError{Op: "read", Path: path, Err: errors.New("a pipe that nothing was written to")}
	}
	return content, err
}

func read(path string, limit int64, check func(string, fs.FileInfo) error) ([]byte, error) {
	f, err := open(path, check)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if info.Size() > limit {
		return nil, tooLarge(path, limit)
	}
	content := make([]byte, 0, info.Size()+1) // files in /proc report a size of 0
	for {
		if len(content) == cap(content) {
			content = append(content, 0)[:len(content)]
		}
		n, err := f.Read(content[len(content):min(int64(cap(content)), limit+1)])
		content = content[:len(content)+n]
		switch {
		case int64(len(content)) > limit:
			return nil, tooLarge(path, limit)
		case err == io.EOF:
			return content, nil
		case err != nil:
			return nil, err
		}
	}
}

// Open opens the regular file at path for a reader with its own limit. Its errors are those of [Read].
func Open(path string) (*os.File, error) { return open(path, Regular) }

func open(path string, check func(string, fs.FileInfo) error) (*os.File, error) {
	info, err := os.Stat(path) // before opening: opening a device may have side effects
	if failed := (*fs.PathError)(nil); errors.As(err, &failed) {
		return nil, &fs.PathError{Op: "open", Path: path, Err: failed.Err}
	}
	if err != nil {
		return nil, err
	}
	if err := check(path, info); err != nil {
		return nil, err
	}
	// The file may have been replaced since: opening a named pipe would block, were it not for O_NONBLOCK.
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK|syscall.O_NOCTTY, 0)
	if err != nil {
		return nil, err
	}
	info, err = f.Stat()
	if err == nil {
		err = check(path, info)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// Regular returns nil for a regular file, and otherwise a [fs.PathError] that says what it is.
func Regular(path string, info fs.FileInfo) error {
	mode := info.Mode()
	if mode.IsRegular() {
		return nil
	}
	return &fs.PathError{Op: "open", Path: path, Err: fmt.Errorf("%s, %w", kind(mode), ErrNotRegular)}
}

func regularOrPipe(path string, info fs.FileInfo) error {
	if info.Mode()&fs.ModeNamedPipe != 0 {
		return nil
	}
	return Regular(path, info)
}

func isPipe(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode()&fs.ModeNamedPipe != 0
}

func kind(mode fs.FileMode) string {
	switch {
	case mode.IsDir():
		return "a folder"
	case mode&fs.ModeNamedPipe != 0:
		return "a named pipe"
	case mode&fs.ModeSocket != 0:
		return "a socket"
	case mode&fs.ModeDevice != 0:
		return "a device"
	case mode&fs.ModeSymlink != 0:
		return "a symbolic link"
	}
	return "something else"
}

func tooLarge(path string, limit int64) error {
	return &fs.PathError{Op: "read", Path: path, Err: fmt.Errorf("%w, more than %s", ErrTooLarge, size(limit))}
}

func size(n int64) string {
	switch {
	case n >= 1<<20 && n%(1<<20) == 0:
		return fmt.Sprintf("%d MiB", n>>20)
	case n >= 1<<10 && n%(1<<10) == 0:
		return fmt.Sprintf("%d KiB", n>>10)
	}
	return fmt.Sprintf("%d bytes", n)
}
