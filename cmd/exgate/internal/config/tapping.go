package config

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/exgate/exgate/runtime/tap/capture"
)

// Capture says where a sample of a listener's connections is recorded. Zero fields take the values of [capture.Folder].
type Capture struct {
	Folder   string  `koanf:"folder" path:"dir"`
	Sample   Percent `koanf:"sample"`
	MaxBytes int     `koanf:"max_bytes" min:"1048576" unit:"bytes"`
	MaxFiles int     `koanf:"max_files" min:"1"`
}

// Recorder returns the recorder's configuration, or nil if nothing is recorded.
func (c Capture) Recorder() *capture.Folder {
	if c.Folder == "" {
		return nil
	}
	return &capture.Folder{Path: c.Folder, Sample: float64(c.Sample), MaxBytes: int64(c.MaxBytes), MaxFiles: c.MaxFiles}
}

// Shadow is a module that gets the same events as the handler, and whose calls have no effect.
type Shadow struct {
	Wasm   string  `koanf:"wasm" path:"file"`
	Module string  `koanf:"module"`
	Sample Percent `koanf:"sample"`
}

// There reports whether there is a shadow.
func (s Shadow) There() bool { return s.Wasm != "" || s.Module != "" }

// Percent is a percentage above 0 and at most 100, such as 0.5%.
type Percent float64

func parsePercent(text string) (Percent, error) {
	digits, ok := strings.CutSuffix(text, "%")
	v, err := strconv.ParseFloat(strings.TrimSpace(digits), 64)
	if !ok || err != nil || !(v > 0 && v <= 100) {
		return 0, fmt.Errorf("must be above 0%% and at most 100%%, such as 1%% or 0.5%%, not %s", quoted(text))
	}
	return Percent(v), nil
}

// taps checks the capture and the shadow of a listener.
func (r rules) taps(key string, l Listener) {
	if at, said := r.cfg.said(key + ".capture"); said && l.Capture.Folder == "" && !r.broken(key+".capture") {
		r.problems.add(at, key+".capture", "needs folder, where captures are written")
	}
	r.shadow(key+".handler.shadow", l.Handler.Shadow)
}

func (r rules) shadow(key string, s Shadow) {
	at, said := r.cfg.said(key)
	switch {
	case !said || r.broken(key):
	case s.Wasm != "" && s.Module != "":
		r.exclusive(key+".module", key+".wasm")
	case s.Module != "":
		r.named(key, s.Module)
	case s.Wasm != "":
		r.module(key+".wasm", Handler{Wasm: s.Wasm})
	default:
		r.problems.add(at, key, "needs wasm, the path of a module, or module, the name of one in the folder modules")
	}
}
