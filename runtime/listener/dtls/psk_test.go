package dtls

import (
	"bytes"
	"encoding/hex"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func pskFile(t *testing.T, content string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "keys.psk")
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestPSKFile(t *testing.T) {
	p, err := openPSK(pskFile(t, "\ufeffmeter-0:c0\n# ours\n\nmeter-1:00ff\n  urn:dev:7 : A0b1 \n"),
		slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	for identity, want := range map[string]string{"meter-0": "c0", "meter-1": "00ff", "urn:dev:7": "a0b1"} {
		if key, ok := p.key([]byte(identity)); !ok || hex.EncodeToString(key) != want {
			t.Errorf("%s: %x, %v", identity, key, ok)
		}
	}
	a, known := p.key([]byte("stranger"))
	b, _ := p.key([]byte("stranger"))
	c, _ := p.key([]byte("stranger2"))
	if known || len(a) != 16 || !bytes.Equal(a, b) || bytes.Equal(a, c) {
		t.Errorf("strangers have %x, %x, %x", a, b, c)
	}
}

func TestPSKFileErrors(t *testing.T) {
	for name, tt := range map[string]struct{ content, want string }{
		"no colon":    {"a:00\nc0ffee\n", ":2: no colon: write identity:hexkey"},
		"no identity": {":c0ffee", ":1: the identity is 0 bytes long: must be 1 to 128"},
		"long identity": {
			strings.Repeat("x", 129) + ":c0ffee",
			":1: the identity is 129 bytes long: must be 1 to 128",
		},
		"not hex":  {"# first\na:c0ffeeX\n", ":2: the key is not hexadecimal"},
		"odd":      {"a:c0f", ":1: the key is not hexadecimal"},
		"no key":   {"a:", ":1: the key is 0 bytes long: must be 1 to 64"},
		"long key": {"a:" + strings.Repeat("c0", 65), ":1: the key is 65 bytes long: must be 1 to 64"},
		"twice":    {"a:01\n\na:c0ffee\n", ":3: duplicate identity, first on line 1"},
		"no line":  {"", ":1: the file contains no key: write lines of identity:hexkey"},
		"empty":    {"# nothing\n", ":1: the file contains no key: write lines of identity:hexkey"},
	} {
		file := pskFile(t, tt.content)
		_, err := openPSK(file, slog.New(slog.DiscardHandler))
		if want := "reading pre-shared keys: " + file + tt.want; err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %s", name, err, want)
		} else if strings.Contains(err.Error(), "c0f") {
			t.Errorf("%s: the key is in the error", name)
		}
	}
	if _, err := openPSK("/nowhere/keys.psk", slog.Default()); err == nil ||
		!strings.Contains(err.Error(), "/nowhere/keys.psk") {
		t.Error(err)
	}
}

// Only an identity that does not exist is logged, and never a key.
func TestPSKLogsUnknownIdentities(t *testing.T) {
	var logged bytes.Buffer
	p, err := openPSK(pskFile(t, "a:c0ffee"), slog.New(slog.NewTextHandler(&logged,
		&slog.HandlerOptions{Level: slog.LevelDebug})))
	if err != nil {
		t.Fatal(err)
	}
	for _, identity := range []string{"a", "stranger\n" + strings.Repeat("x", 1000)} {
		if key, err := p.serve([]byte(identity)); err != nil ||
			strings.Contains(logged.String(), hex.EncodeToString(key)) {
			t.Errorf("%v, logged %s", err, logged.String())
		}
	}
	if got := logged.String(); strings.Count(got, "\n") != 1 || !strings.Contains(got, `identity="stranger\nxxx`) ||
		len(got) > 400 {
		t.Errorf("logged %s", got)
	}
}

// A changed file is reloaded. If it is broken or missing, the old keys stay and one line is logged, without keys.
func TestPSKReload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var logged bytes.Buffer
		file := pskFile(t, "a:c0ffee")
		p, err := openPSK(file, slog.New(slog.NewTextHandler(&logged, nil)))
		if err != nil {
			t.Fatal(err)
		}
		expect := func(identity, want, log string) {
			t.Helper()
			time.Sleep(pskCheckEvery)
			_, _ = p.key([]byte(identity)) // sees the change; the next one, that nobody is writing any more
			for range 3 {
				time.Sleep(pskCheckEvery)
				if key, _ := p.key([]byte(identity)); hex.EncodeToString(key) != want {
					t.Errorf("%s: %x, want %s", identity, key, want)
				}
			}
			if got := strings.Count(logged.String(), "\n"); got != strings.Count(log, "|") ||
				!strings.Contains(logged.String(), strings.Trim(log, "|")) {
				t.Errorf("logged %s, want one %q", logged.String(), log)
			}
			if strings.Contains(logged.String(), "c0ff") {
				t.Errorf("a key was logged: %s", logged.String())
			}
			logged.Reset()
		}
		write := func(content string) {
			if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		expect("a", "c0ffee", "")
		write("a:c0ffee\nb:c0ffee01")
		expect("b", "c0ffee01", "reloaded|")
		write("a:c0ffee\nb:c0ff,")
		expect("b", "c0ffee01", "keys.psk:2: the key is not hexadecimal|")
		_ = os.Remove(file)
		expect("b", "c0ffee01", "no such file|")
		write("b:c0ffee02")
		expect("b", "c0ffee02", "reloaded|")
	})
}

// A key that is written in two pieces is never taken by half.
func TestPSKHalfWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		file := pskFile(t, "a:c0ffee")
		p, err := openPSK(file, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		for _, text := range []string{"a:beef", "a:beefbe", "a:beefbeef"} {
			if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			p.checked = time.Time{}
			time.Sleep(pskSettle / 2)
			if key, _ := p.key([]byte("a")); hex.EncodeToString(key) != "c0ffee" {
				t.Errorf("%s was taken", hex.EncodeToString(key))
			}
		}
		time.Sleep(pskCheckEvery)
		if key, _ := p.key([]byte("a")); hex.EncodeToString(key) != "beefbeef" {
			t.Errorf("the key is %x", key)
		}
	})
}

// While the file is being read, as from a server that is down, the keys that are there serve.
func TestPSKBesideRefresh(t *testing.T) {
	p, err := openPSK(pskFile(t, "a:c0ffee"), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	p.refreshing.Lock()
	defer p.refreshing.Unlock()
	if key, known := p.key([]byte("a")); !known || hex.EncodeToString(key) != "c0ffee" {
		t.Errorf("%x, %v", key, known)
	}
}

func FuzzPSKFile(f *testing.F) {
	f.Add([]byte("# x\na:00ff\nurn:dev:7:0011\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		p := &pskKeys{secret: []byte("secret")}
		keys, err := p.parse(b)
		if (err == nil) == (len(keys) == 0) {
			t.Errorf("%d keys, %v", len(keys), err)
		}
		for _, k := range keys {
			if len(k.bytes) == 0 || len(k.bytes) > 64 {
				t.Errorf("a key of %d bytes", len(k.bytes))
			}
		}
	})
}
