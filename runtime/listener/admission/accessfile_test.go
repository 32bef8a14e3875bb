package admission

import (
	"context"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/exgate/exgate/runtime/gateway/gatewaytest"
)

// watched is an access file that a live Admission follows, inside a synctest bubble.
type watched struct {
	*testing.T
	path      string
	admission *Admission
	log       gatewaytest.Log
}

func watchAccess(t *testing.T, content string) *watched {
	t.Helper()
	w := &watched{T: t, path: filepath.Join(t.TempDir(), "acl")}
	w.write(content)
	f, err := LoadAccess(w.path, w.log.Logger())
	if err != nil {
		t.Fatal(err)
	}
	w.admission = admission(t, Config{Access: f.List()})
	ctx, cancel := context.WithCancel(context.Background())
	var done sync.WaitGroup
	done.Go(func() { f.Watch(ctx, w.admission.SetAccess) })
	t.Cleanup(func() { cancel(); done.Wait() })
	return w
}

func (w *watched) write(content string) {
	w.Helper()
	if err := os.WriteFile(w.path, []byte(content), 0o600); err != nil {
		w.Fatal(err)
	}
}

// after waits and compares the list in force.
func (w *watched) after(d time.Duration, wantAllowed bool) {
	w.Helper()
	time.Sleep(d)
	synctest.Wait()
	if got := w.admission.Allowed(netip.MustParseAddr("10.0.0.1")); got != wantAllowed {
		w.Errorf("allowed: %v; log:\n%s", got, &w.log)
	}
}

func TestAccessFileIsReloaded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := watchAccess(t, "# all of them\n\nallow all\n")
		w.after(time.Hour, true)
		w.write("deny 10.0.0.0/8 # a test\n")
		w.after(2*accessPoll, false)
		if !strings.Contains(w.log.String(), "access list reloaded") || !strings.Contains(w.log.String(), "rules=1") {
			t.Error(w.log.String())
		}
		next := w.path + ".new"
		if err := os.WriteFile(next, []byte("allow 10.0.0.0/8\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(next, w.path); err != nil {
			t.Fatal(err)
		}
		w.after(2*accessPoll, true)
	})
}

// A file that became empty does not allow everything; one with only a comment may.
func TestEmptyAccessFile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := watchAccess(t, "deny all\n")
		for _, text := range []string{"", "\n \n"} {
			w.write(text)
			w.after(3*accessPoll, false)
			if _, err := LoadAccess(w.path, nil); err == nil ||
				!strings.Contains(err.Error(), "is empty: write allow all") {
				t.Error(err)
			}
		}
		w.write("# nobody is denied\n")
		w.after(3*accessPoll, true)
	})
}

// A file that is being written is not taken for an empty list.
func TestHalfWrittenAccessFileIsNotLoaded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := watchAccess(t, "deny 10.0.0.0/8\n")
		w.write("")
		w.after(accessPoll, false)
		w.write("allow all\n")
		w.after(accessPoll, false)
		w.after(accessPoll, true)
	})
}

func TestBrokenAccessFileKeepsTheList(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := watchAccess(t, "deny 10.0.0.0/8\n")
		w.write("allow all\nallow 10.0.0.0/99\n")
		w.after(time.Hour, false)
		if n := strings.Count(w.log.String(), "level=ERROR"); n != 1 ||
			!strings.Contains(w.log.String(), w.path+", line 2, ") {
			t.Errorf("logged %d times:\n%s", n, &w.log)
		}
		if err := os.Remove(w.path); err != nil {
			t.Fatal(err)
		}
		w.after(time.Hour, false)
		if n := strings.Count(w.log.String(), "no such file"); n != 1 {
			t.Errorf("logged %d times:\n%s", n, &w.log)
		}
		w.write("allow all\n")
		w.after(2*accessPoll, true)
	})
}

func TestLoadAccessErrors(t *testing.T) {
	path := filepath.Join(t.TempDir(), "acl")
	if _, err := LoadAccess(path, nil); err == nil || err.Error() != "reading the access list: open "+path+
		": no such file or directory" {
		t.Error(err)
	}
	if err := os.WriteFile(path, []byte("# rules\r\nallow all\r\n\r\npermit me\r\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadAccess(path, nil); err == nil || err.Error() != "access list "+path+
		`, line 4, "permit me": "permit" is neither allow nor deny` {
		t.Error(err)
	}
}
