package module

import (
	"bytes"
	"errors"

	"github.com/exgate/exgate/runtime/capture"
	"github.com/exgate/exgate/runtime/tap"
)

// captureBegins is how a file begins that is a capture.
const captureBegins = `{"exgc":`

var errNoBytes = errors.New("the capture has no bytes of a device")

// Samples are what a device sends according to a file: what was received in a capture, piece by piece, or else the file itself.
func Samples(file []byte) ([][]byte, error) {
	if !bytes.HasPrefix(file, []byte(captureBegins)) {
		return [][]byte{file}, nil
	}
	r, err := capture.NewReader(bytes.NewReader(file))
	if err != nil {
		return nil, err
	}
	var samples [][]byte
	for e, err := range r.All() {
		if err != nil && !errors.Is(err, capture.ErrTruncated) {
			return nil, err
		}
		if e.Record.Kind == tap.Bytes {
			samples = append(samples, bytes.Clone(e.Record.Data))
		}
	}
	if samples == nil {
		return nil, errNoBytes
	}
	return samples, nil
}
