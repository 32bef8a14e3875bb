package emqxconf

import (
	"path/filepath"
	"regexp"
	"strings"

	"github.com/exgate/exgate/cmd/exgate/internal/emqxconf/hocon"
)

// variable matches ${NAME}, which EMQX 5 reads from its environment, and {{ name }}, which packages fill in.
var variable = regexp.MustCompile(`\$\{([A-Za-z0-9_]+)\}|\{\{\s*([a-z_]+)\s*\}\}`)

// etcDir returns the folder of EMQX's configuration: the folder of the file, or its parent if the file is in
// etc/plugins.
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
		s.decide(v, s.name(name), "contains what should be in a file: write it to a file, and name that in tls of "+
			"the listener or handler")
		return "", false
	}
	unknown := false
	path := variable.ReplaceAllStringFunc(v.Text, func(found string) string {
		name := variable.FindStringSubmatch(found)
		if name[1] == "EMQX_ETC_DIR" || name[2] == "platform_etc_dir" {
			return s.opts.EtcDir
		}
		value, ok := s.opts.lookupEnv(name[1])
		unknown = unknown || !ok
		return value
	})
	if unknown {
		s.decide(v, s.name(name), "uses a variable that is not set here: set it for the import, or write the path "+
			"into the result")
		return "", false
	}
	return s.absolute(path), true
}

// absolute makes a path absolute relative to the parent of etc, as EMQX does.
func (s *scope) absolute(path string) string {
	switch rest, ok := strings.CutPrefix(path, "etc/"); {
	case filepath.IsAbs(path):
		return filepath.Clean(path)
	case ok:
		return filepath.Join(s.opts.EtcDir, rest)
	}
	return filepath.Join(filepath.Dir(s.opts.EtcDir), path)
}
