package module

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/exgate/exgate/internal/boundedfile"
	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/tap"
	"github.com/exgate/exgate/runtime/tap/capture"
)

// maxRecording bounds a recording, in bytes.
const maxRecording = 1 << 30

// recording is a capture of a module run.
type recording struct {
	to     string
	folder string // a temporary file, until the recording is complete
}

// record captures the connections of f into the file to. It does not mask passwords: the author of the module types
// them, and the recording is meant to be replayed.
func record(
	f gateway.HandlerFactory, s *Subject, to string, log *slog.Logger,
) (*recording, gateway.HandlerFactory, error) {
	if info, err := os.Lstat(to); err == nil && info.Mode()&fs.ModeSymlink == 0 { // no device is to be replaced
		if err := boundedfile.Regular(to, info); err != nil {
			return nil, nil, fmt.Errorf("creating the recording: %w", err)
		}
	}
	folder, err := os.MkdirTemp(filepath.Dir(to), ".recording-")
	if err != nil {
		return nil, nil, fmt.Errorf("creating the recording: %w", err)
	}
	point, err := capture.New(capture.Config{
		Listener: "module-run", Handler: "wasm", Source: filepath.Base(s.Path), Logger: log, KeepPasswords: true,
		Folder: &capture.Folder{Path: folder, Sample: 100, MaxBytes: maxRecording, MaxFiles: 1},
	})
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("creating the recording: %w", err), os.RemoveAll(folder))
	}
	return &recording{to: to, folder: folder}, tap.Around(f, point), nil
}

// end moves the recording into place. Call it after closing the handler factory.
func (r *recording) end() error {
	files, err := filepath.Glob(filepath.Join(r.folder, "*.exgc"))
	if err == nil && len(files) == 0 {
		err = errors.New("no device connected")
	}
	if err == nil {
		err = os.Rename(files[0], r.to)
	}
	if err = errors.Join(err, os.RemoveAll(r.folder)); err != nil {
		return fmt.Errorf("recording to %s: %w", r.to, err)
	}
	return nil
}
