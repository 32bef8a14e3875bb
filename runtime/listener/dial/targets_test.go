package dial

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestParseTarget(t *testing.T) {
	for line, want := range map[string]Target{
		"meter-1 192.0.2.7:502":                {"meter-1", "tcp", "192.0.2.7:502", ""},
		" m\t[2001:db8::7]:502   unit=1 #2 x ": {"m", "tcp", "[2001:db8::7]:502", "unit=1 #2 x"},
		"rtu tls://rtu-9.example:19998 {}":     {"rtu", "tls", "rtu-9.example:19998", "{}"},
		"a/b udp://10.0.0.1:4059":              {"a/b", "udp", "10.0.0.1:4059", ""},
		"z tcp://[fe80::1%eth0]:1":             {"z", "tcp", "[fe80::1%eth0]:1", ""},
	} {
		if got, err := ParseTarget(line); err != nil || got != want {
			t.Errorf("%q: %+v, %v", line, got, err)
		}
	}
	for line, want := range map[string]string{
		"":                                       "it is empty",
		"meter":                                  "needs an address",
		"meter 192.0.2.7":                        "is not an address",
		"meter :502":                             "is not an address",
		"meter h:0":                              "is not a port",
		"meter h:70000":                          "is not a port",
		"meter h:http":                           "is not a port",
		"meter http://h:80":                      "is not a network",
		"meter a,b:1":                            "neither an IP address nor a host name",
		"meter [::1:5":                           "is not an address",
		"meter h:1 a\x00b":                       "control character",
		"meter h:1 \xff":                         "not UTF-8",
		strings.Repeat("n", 257):                 "longer than 256 bytes",
		"m h:1 " + string(make([]byte, MaxLine)): "longer than 4096 bytes",
	} {
		if _, err := ParseTarget(line); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", line, err)
		}
	}
}

func FuzzParseTarget(f *testing.F) {
	f.Add("meter-1 192.0.2.7:502 unit=1")
	f.Add("a tls://[2001:db8::1]:1 x")
	f.Fuzz(func(t *testing.T, line string) {
		got, err := ParseTarget(line)
		if err != nil {
			return
		}
		for _, text := range []string{got.Name, got.Address, got.Config} {
			if !utf8.ValidString(text) || strings.ContainsRune(text, 0) {
				t.Errorf("%q: %+v", line, got)
			}
		}
		again, err := ParseTarget(got.String())
		if len(got.String()) <= MaxLine && (err != nil || again != got) {
			t.Errorf("%q: %+v, then %+v, %v", line, got, again, err)
		}
	})
}

// A wrong line is one wrong line, and it is named.
func TestFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "targets")
	must(t, os.WriteFile(path, []byte("# meters\n\na h:1\nb nowhere\n  # more\na h:2\nc udp://h:3 x\r\n"), 0o600))
	file, err := LoadFile(path)
	must(t, err)
	list := file.List()
	if len(list.Targets) != 2 || list.Targets[1] != (Target{"c", "udp", "h:3", "x"}) {
		t.Errorf("%+v", list.Targets)
	}
	var wrong []string
	for _, w := range list.Wrong {
		wrong = append(wrong, w.Error())
	}
	text := strings.Join(wrong, "\n")
	if len(wrong) != 2 || !strings.Contains(text, path+`, line 4: "nowhere" is not an address`) ||
		!strings.Contains(text, `line 6: the name "a" is used twice, first on line 3`) {
		t.Error(text)
	}
	must(t, os.WriteFile(path, []byte(" \n"), 0o600))
	if _, err := LoadFile(path); err == nil || !strings.Contains(err.Error(), "is empty") {
		t.Error(err)
	}
}

func TestTooManyTargets(t *testing.T) {
	var text strings.Builder
	for i := range MaxTargets + 3 {
		text.WriteString(strings.Repeat("x", i/100+1) + strings.Repeat("y", i%100) + " h:1\n")
	}
	list, err := parseFile("f", []byte(text.String()))
	if err != nil || len(list.Targets) != MaxTargets || len(list.Wrong) != 3 ||
		!strings.Contains(list.Wrong[0].Error(), "line 10001: there are more than 10000 targets") {
		t.Error(len(list.Targets), len(list.Wrong), err)
	}
}
