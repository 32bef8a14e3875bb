package module

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/tap"
	"github.com/exgate/exgate/runtime/tap/capture"
)

// maxRecording bounds a recording, in bytes.
const maxRecording = 1 << 30

// recording is a capture of what a person tries.
type recording struct {
	to     string
	folder string // beside it, until it is whole
}

// record has f captured into the file to. Passwords are kept: the person who types is the author, and the recording is to be replayed.
func record(f gateway.HandlerFactory, s *Subject, to string, log *slog.Logger) (*recording, gateway.HandlerFactory, error) {
	folder, err := os.MkdirTemp(filepath.Dir(to), ".recording-")
	if err != nil {
		return nil, nil, fmt.Errorf("making the recording: %w", err)
	}
	point, err := capture.New(capture.Config{
		Listener: "module-run", Handler: "wasm", Source: filepath.Base(s.Path), Logger: log, KeepPasswords: true,
		Folder: &capture.Folder{Path: folder, Sample: 100, MaxBytes: maxRecording, MaxFiles: 1},
	})
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("making the recording: %w", err), os.RemoveAll(folder))
	}
	return &recording{to: to, folder: folder}, tap.Around(f, point), nil
}

// end puts the recording in place. The handler factory has been closed.
func (r *recording) end() error {
	files, err := filepath.Glob(filepath.Join(r.folder, "*.exgc"))
	if err == nil && len(files) == 0 {
		err = errors.New("no device was connected")
	}
	if err == nil {
		err = os.Rename(files[0], r.to)
	}
	if err = errors.Join(err, os.RemoveAll(r.folder)); err != nil {
		return fmt.Errorf("recording to %s: %w", r.to, err)
	}
	return nil
}
