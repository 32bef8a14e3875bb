package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func loadDial(t *testing.T, settings string, files map[string]string) (*Config, string) {
	t.Helper()
	t.Chdir(t.TempDir())
	text := "listeners:\n  a:\n    type: dial\n    handler: {wasm: m.wasm}\n" + settings
	all := map[string]string{"exgate.yaml": text, "m.wasm": "x"}
	for name, content := range files {
		all[name] = content
	}
	for name, content := range all {
		if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cfg, err := Load(Sources{File: "exgate.yaml"})
	if err != nil {
		return nil, err.Error()
	}
	return cfg, ""
}

func TestWhatIsWrongWithTargets(t *testing.T) {
	for name, test := range map[string]struct{ settings, want string }{
		"none": {"", "exgate.yaml:2: listeners.a: needs dial.targets, a list such as [meter-1 192.0.2.7:502], or " +
			"dial.file, which has one a line"},
		"wrong target": {
			"    dial:\n      targets:\n        - a h:1\n        - b nowhere\n",
			`exgate.yaml:8: listeners.a.dial.targets: "b nowhere": "nowhere" is not an address: write host:port`,
		},
		"same name": {
			"    dial: {targets: [a h:1,\n      a h:2]}\n",
			`exgate.yaml:6: listeners.a.dial.targets: "a h:2": the name "a" is used twice, first by target 1`,
		},
		"both": {
			"    dial: {targets: [a h:1],\n      file: f}\n",
			"exgate.yaml:6: listeners.a.dial.file: conflicts with",
		},
		"no file": {"    dial: {file: f}\n", "exgate.yaml:5: listeners.a.dial.file: f: no such file"},
		"empty": {
			"    dial: {file: empty}\n",
			"exgate.yaml:5: listeners.a.dial.file: list of targets empty is empty",
		},
		"all wrong": {
			"    dial: {file: wrong}\n",
			"no line is right: wrong, line 1: it needs an address",
		},
		"bind": {
			"    bind: ':1'\n    dial: {targets: [a h:1]}\n",
			"exgate.yaml:5: listeners.a.bind: does not fit a dial",
		},
		"ban": {
			"    ban: {failures: 1}\n    dial: {targets: [a h:1]}\n",
			"listeners.a.ban: does not fit a dial listener",
		},
		"tls": {
			"    tls: {ca: x}\n    dial: {targets: [a h:1]}\n",
			"listeners.a.tls: does not fit a dial listener",
		},
		"pauses": {
			"    dial: {targets: [a h:1], min_pause: 2s, max_pause: 1s}\n",
			"exgate.yaml:5: listeners.a.dial.max_pause: is below min_pause",
		},
		"cert without key": {
			"    dial: {targets: [a h:1], tls: {cert: m.wasm}}\n",
			"listeners.a.dial.tls: needs cert and key, or neither",
		},
	} {
		_, got := loadDial(t, test.settings, map[string]string{"empty": "", "wrong": "a\n"})
		if !strings.Contains(got, test.want) {
			t.Errorf("%s: got %q, want %q", name, got, test.want)
		}
	}
}

// A wrong line of a file, and certificates that are not verified, are warnings.
func TestWarningsOfTargets(t *testing.T) {
	cfg, wrong := loadDial(t, "    dial: {file: list, tls: {insecure_skip_verify: true}}\n",
		map[string]string{"list": "# meters\na h:1\nb\nc udp://h:1 x\n"})
	if wrong != "" {
		t.Fatal(wrong)
	}
	var text strings.Builder
	for _, w := range cfg.Warnings() {
		text.WriteString(w.Error() + "\n")
	}
	for _, want := range []string{
		"exgate.yaml:5: listeners.a.dial.file: list, line 3: it needs an address",
		"exgate.yaml:5: listeners.a.dial.tls.insecure_skip_verify: the certificates of targets are not verified",
	} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("%q is not in\n%s", want, text.String())
		}
	}
	if l := cfg.Listeners["a"]; filepath.Base(l.Dial.File) != "list" || cfg.MostConnections() != 2 {
		t.Errorf("%q, %d connections", l.Dial.File, cfg.MostConnections())
	}
}
