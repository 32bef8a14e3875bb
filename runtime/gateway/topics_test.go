package gateway

import (
	"strings"
	"testing"
)

// FuzzTopics checks that what the checks let through can be put under a mountpoint and taken off again, and cannot leave it.
func FuzzTopics(f *testing.F) {
	for _, s := range []string{"a/b", "$share/g/a/+", "#", "+/x/#", "$share//", "a\x00", "${username}"} {
		f.Add(s, "id", "m/${clientid}/${listener}/${module}/")
	}
	f.Fuzz(func(t *testing.T, topic, client, configured string) {
		mount, r := mountpoint(configured, Device{ClientInfo: ClientInfo{ClientID: client, Username: topic}, Listener: client, Module: topic})
		if !r.Ok() {
			return
		}
		if strings.ContainsAny(mount, "+#\x00") {
			t.Fatalf("mountpoint %q has wildcards", mount)
		}
		if checkPublish(topic, 0).Ok() {
			l := login{mount: mount}
			if got := l.unmount(mount + topic); got != topic {
				t.Fatalf("%q came back as %q", topic, got)
			}
		}
		if !checkFilter(topic).Ok() {
			return
		}
		mounted := mountFilter(mount, topic)
		if _, rest, _ := splitShare(mounted); !strings.HasPrefix(rest, mount) {
			t.Fatalf("filter %q left its mountpoint %q as %q", topic, mount, mounted)
		}
	})
}
