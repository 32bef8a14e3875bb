package gateway

import (
	"strings"
	"testing"

	"github.com/exgate/exgate/internal/topic"
)

// FuzzTopics checks that accepted topics can be mounted and unmounted, and cannot leave the mountpoint.
func FuzzTopics(f *testing.F) {
	for _, s := range []string{"a/b", "$share/g/a/+", "#", "+/x/#", "$share//", "a\x00", "${username}"} {
		f.Add(s, "id", "m/${clientid}/${listener}/${module}/")
	}
	f.Fuzz(func(t *testing.T, text, client, configured string) {
		mount, r := mountpoint(configured, Device{
			ClientInfo: ClientInfo{ClientID: client, Username: text},
			Listener:   client, Module: text,
		})
		if !r.Ok() {
			return
		}
		if strings.ContainsAny(mount, "+#\x00") {
			t.Fatalf("mountpoint %q has wildcards", mount)
		}
		if checkPublish(text, 0).Ok() {
			l := login{mount: mount}
			if got := l.unmount(mount + text); got != text {
				t.Fatalf("%q came back as %q", text, got)
			}
		}
		if !checkFilter(text).Ok() {
			return
		}
		mounted := topic.Mount(mount, text)
		if rest, _ := topic.Unshare(mounted); !strings.HasPrefix(rest, mount) {
			t.Fatalf("filter %q left its mountpoint %q as %q", text, mount, mounted)
		}
	})
}
