package upgrade

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"github.com/exgate/exgate/internal/boundedfile"
)

// WritePIDFile writes the id of this process to path, atomically. It does nothing if path is empty. It replaces a file,
// but no folder, device or pipe.
func WritePIDFile(path string) error {
	if path == "" {
		return nil
	}
	if info, err := os.Lstat(path); err == nil && info.Mode()&fs.ModeSymlink == 0 {
		if err := boundedfile.Regular(path, info); err != nil {
			return fmt.Errorf("writing pid_file: %w", err)
		}
	}
	fresh, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return fmt.Errorf("writing pid_file: %w", err)
	}
	_, err = fmt.Fprintln(fresh, os.Getpid())
	err = errors.Join(err, fresh.Chmod(0o644), fresh.Close())
	if err == nil {
		err = os.Rename(fresh.Name(), path)
	}
	if err != nil {
		_ = os.Remove(fresh.Name())
		return fmt.Errorf("writing pid_file: %w", err)
	}
	return nil
}

// RemovePIDFile removes path if it contains the id of this process.
func RemovePIDFile(path string) error {
	if path == "" {
		return nil
	}
	pid, err := ReadPIDFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, boundedfile.ErrNotRegular), err == nil && pid != os.Getpid():
		return nil
	case err != nil:
		return err
	}
	return os.Remove(path)
}

// ReadPIDFile returns the process id in path.
func ReadPIDFile(path string) (int, error) {
	text, err := boundedfile.Read(path, 64)
	if err != nil {
		return 0, fmt.Errorf("reading the pid file: %w", err)
	}
	pid, err := strconv.ParseUint(string(bytes.TrimSpace(text)), 10, 31)
	if err != nil || pid == 0 {
		return 0, fmt.Errorf("reading the pid file %s: it does not contain a process id", path)
	}
	return int(pid), nil
}
