package emqxconf

import (
	"path/filepath"
	"regexp"
	"strings"

	"github.com/exgate/exgate/cmd/exgate/internal/emqxconf/hocon"
)

// variable is ${NAME}, which EMQX 5 takes from its environment, or {{ name }}, which packages fill in.
var variable = regexp.MustCompile(`\$\{([A-Za-z0-9_]+)\}|\{\{\s*([a-z_]+)\s*\}\}`)

// etcDir is the folder of EMQX's configuration: that of the file, or where the file is in etc/plugins the one above it.
func etcDir(file string) (string, error) {
	absolute, err := filepath.Abs(file)
	dir := filepath.Dir(absolute)
	if filepath.Base(dir) == "plugins" {
		dir = filepath.Dir(dir)
	}
	return dir, err
}

// path returns the absolute path of a file that a setting names. It does not look whether the file is there: exgate
// config check does.
func (s *scope) path(name string, v *hocon.Value) (string, bool) {
	if v.Kind != hocon.Scalar || v.Text == "" {
		s.decide(v, s.name(name), "must be the path of a file")
		return "", false
	}
	if strings.Contains(v.Text, "-----BEGIN ") {
		s.decide(v, s.name(name), "holds what should be in a file: write it to one, and name that in the listener's "+
			"or handler's tls")
		return "", false
	}
	unknown := false
	path := variable.ReplaceAllStringFunc(v.Text, func(found string) string {
		name := variable.FindStringSubmatch(found)
		if name[1] == "EMQX_ETC_DIR" || name[2] == "platform_etc_dir" {
			return s.opts.EtcDir
		}
		value, ok := s.opts.LookupEnv(name[1])
		unknown = unknown || !ok
		return value
	})
	if unknown {
		s.decide(v, s.name(name), "names a variable that is not set here: set it for the import, or write the "+
			"path to the result")
		return "", false
	}
	return s.absolute(path), true
}

// absolute makes a path absolute as EMQX does, which runs in the folder above etc.
func (s *scope) absolute(path string) string {
	switch rest, ok := strings.CutPrefix(path, "etc/"); {
	case filepath.IsAbs(path):
		return filepath.Clean(path)
	case ok:
		return filepath.Join(s.opts.EtcDir, rest)
	}
	return filepath.Join(filepath.Dir(s.opts.EtcDir), path)
}
