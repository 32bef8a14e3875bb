package gateway

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// brokerReads is how brokers read a filter that a client subscribes to, or a name that it publishes to: what is left
// when one of them, of whatever kind, has taken off what it knows. It shares no code with what it judges.
func brokerReads(text string) []string {
	reads := []string{text}
	for i := 0; i < len(reads); i++ {
		parts := strings.Split(reads[i], "/")
		switch strings.ToLower(parts[0]) {
		case "$share", "$oshare", "$delayed", "$local":
			if len(parts) > 2 {
				reads = append(reads, strings.Join(parts[2:], "/"))
			}
		case "$queue", "$exclusive", "$q", "$s":
			if len(parts) > 1 {
				reads = append(reads, strings.Join(parts[1:], "/"))
			}
		}
	}
	return reads[len(reads)-1:]
}

// reach asks the gateway, as a device of a listener does, and returns what gets to the broker; ok is false where it is
// refused.
func reach(t interface{ Fatal(...any) }, cfg ListenerConfig, client ClientInfo, text string, publish bool) (mount,
	got string, ok bool,
) {
	rules, err := newTopicRules(cfg)
	if err != nil {
		return "", "", false
	}
	c := &Conn{topics: rules, metrics: NewMetrics(nil).listener("l")}
	mount, r := mountpoint(rules.mountpoint, c.device(client))
	if !r.Ok() {
		return "", "", false
	}
	c.login.client, c.login.mount = client, mount
	check, allowed, call := checkSubscribe, rules.subscribe, "subscribe"
	if publish {
		check, allowed, call = checkPublish, rules.publish, "publish"
	}
	if !check(text, 0).Ok() {
		return "", "", false
	}
	got, r = c.admitTopic(call, allowed, text, publish)
	if r.Ok() && got == "" {
		t.Fatal("an empty topic was let through")
	}
	return mount, got, r.Ok()
}

// checkReach checks one device against a mountpoint that ends with '/': whatever broker reads what gets there, it is
// below the mountpoint as the operator wrote it, with each placeholder inside its own level.
func checkReach(t interface{ Fatalf(string, ...any) }, template string, client ClientInfo, mount, got string) {
	want := strings.Split(template, "/")
	for _, read := range brokerReads(got) {
		if !strings.HasPrefix(read, mount) || !strings.HasSuffix(mount, "/") {
			t.Fatalf("%+v below %q: a broker reads %q", client, mount, read)
		}
		levels := strings.Split(mount, "/")
		if len(levels) != len(want) || strings.ContainsAny(mount, "+#\x00") {
			t.Fatalf("%+v makes %q of %q", client, mount, template)
		}
		for i, level := range want {
			if !strings.Contains(level, "${") && levels[i] != level {
				t.Fatalf("%+v makes %q of %q", client, mount, template)
			}
		}
		if strings.HasPrefix(mount, "$") && !strings.HasPrefix(strings.ReplaceAll(template, "${", ""), "$") {
			t.Fatalf("%+v makes %q of %q", client, mount, template)
		}
	}
}

// Whatever names a device uses, it reaches only topics below its mountpoint and inside its patterns.
func TestDevicesStayBelowTheirMountpoint(t *testing.T) {
	nasty := rapid.SampledFrom([]string{
		"", "a", "b", "/", "+", "#", "*", ">", "$", "$share", "$SHARE", "$Share", "$queue", "$exclusive", "$oshare",
		"$delayed", "$SYS", "$share/g", "$local",
		"a/b", "..", "\x00", "\x01", "\ufffe", "\xff", "${clientid}", "${username}", "share", "g", " ", "5",
	})
	text := rapid.Custom(func(t *rapid.T) string {
		return strings.Join(rapid.SliceOfN(nasty, 0, 3).Draw(t, "parts"),
			"")
	})
	topics := rapid.Custom(func(t *rapid.T) string {
		return strings.Join(rapid.SliceOfN(text, 1, 5).Draw(t, "levels"),
			"/")
	})
	templates := []string{
		"${clientid}/", "${username}/", "devices/${clientid}/", "${username}/${clientid}/", "$${clientid}/",
		"/${clientid}/", "x-${clientid}/",
		"${clientid}${username}/", "$share/${clientid}/", "$aws/${clientid}/", "${clientid}/$share/", "fixed/",
		"$queue/",
	}
	for _, template := range []string{
		"${clientid}/", "${username}/", "devices/${clientid}/", "$aws/${clientid}/",
		"${clientid}/$share/",
	} {
		mount, got, ok := reach(t, ListenerConfig{Mountpoint: template}, ClientInfo{ClientID: "a", Username: "b"},
			"$share/g/x/#", false)
		if !ok || got != "$share/g/"+mount+"x/#" {
			t.Errorf("an honest device below %q: %q, %v", template, got, ok)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		client := ClientInfo{ClientID: text.Draw(t, "client id"), Username: text.Draw(t, "username")}
		template, asked, publish := rapid.SampledFrom(templates).Draw(t, "mountpoint"), topics.Draw(t, "topic"),
			rapid.Bool().Draw(t, "publish")
		cfg := ListenerConfig{Mountpoint: template}
		if rapid.Bool().Draw(t, "patterns") {
			cfg.PublishTopics, cfg.SubscribeTopics = []string{template + "#"}, []string{template + "#"}
		}
		if mount, got, ok := reach(t, cfg, client, asked, publish); ok {
			checkReach(t, template, client, mount, got)
		}
		fromHandler := client
		fromHandler.Mountpoint = template
		if mount, got, ok := reach(t, ListenerConfig{}, fromHandler, asked, publish); ok {
			checkReach(t, template, client, mount, got)
		}
	})
}

// Without a mountpoint, the patterns alone confine a device: what it gets through is, as a broker reads it, below its
// own client id.
func TestDevicesStayInsideTheirPatterns(t *testing.T) {
	names := []string{"a", "$share", "$SHARE", "$queue", "$SYS", "$exclusive", "a/b", "+", "#", "*", ""}
	filters := []string{
		"#", "a/#", "+/#", "$share/g/#", "$SHARE/g/#", "$share/g/a/#", "$queue/#", "$exclusive/#",
		"$SYS/#", "$share/a/+/x", "$SYS/x", "$queue/x",
	}
	for _, publish := range []bool{false, true} {
		for _, name := range names {
			for _, asked := range filters {
				cfg := ListenerConfig{
					PublishTopics:   []string{"${clientid}/#"},
					SubscribeTopics: []string{"${clientid}/#"},
				}
				_, got, ok := reach(t, cfg, ClientInfo{ClientID: name}, asked, publish)
				if !ok {
					continue
				}
				for _, read := range brokerReads(got) {
					if name != "a" || !strings.HasPrefix(read, "a/") {
						t.Errorf("%q asks for %q: a broker reads %q", name, asked, read)
					}
				}
			}
		}
	}
}

// FuzzMountpoint is TestDevicesStayBelowTheirMountpoint for whatever the fuzzer finds.
func FuzzMountpoint(f *testing.F) {
	f.Add("$share", "", "g/#", "${clientid}/")
	f.Add("a/b", "u", "x", "devices/${clientid}/")
	f.Add("share", "u", "$share/g/#", "$${clientid}/${username}/")
	f.Fuzz(func(t *testing.T, id, username, asked, template string) {
		if !strings.HasSuffix(template, "/") || UnknownPlaceholder(template) != "" {
			return
		}
		client := ClientInfo{ClientID: id, Username: username}
		for _, publish := range []bool{false, true} {
			if mount, got, ok := reach(t, ListenerConfig{Mountpoint: template}, client, asked, publish); ok {
				checkReach(t, template, client, mount, got)
			}
		}
	})
}

func TestMountpointRefusalsNameTheSetting(t *testing.T) {
	for _, test := range []struct{ configured, handlers, id, want string }{
		{
			"${clientid}/", "", "$share",
			"listeners.meters.mountpoint: ${clientid} must not begin with '$', which is reserved for the broker's " +
				"own topics, but is \"$share\"",
		},
		{
			"devices/${clientid}/", "", "a/b",
			"listeners.meters.mountpoint: ${clientid} must not contain '/', '+' or '#', but is \"a/b\"",
		},
		{"${username}/", "", "a", "listeners.meters.mountpoint: ${username} has no value here"},
		{"", "$SYS/", "$SYS", "the handler's mountpoint: \"$SYS/\" begins with '$'"},
		{"", "$share/g/", "a", "the handler's mountpoint: mountpoint \"$share/g/\": must not begin with $share"},
	} {
		device := Device{ClientInfo: ClientInfo{ClientID: test.id, Mountpoint: test.handlers}, Listener: "meters"}
		if _, r := mountpoint(test.configured, device); r.Code != CodeParamsTypeError || !strings.HasPrefix(r.Message,
			test.want) {
			t.Errorf("%q below %q: %v", test.id, test.configured+test.handlers, r)
		}
	}
	for id, template := range map[string]string{
		"a/b": "fixed/", "$SYS": "devices/${clientid}/", "+": "",
		"$share": "",
	} {
		if _, r := mountpoint(template, Device{ClientInfo: ClientInfo{ClientID: id}}); !r.Ok() {
			t.Errorf("%q below %q: %v", id, template, r)
		}
	}
}

func TestMountpointsAreChecked(t *testing.T) {
	for _, bad := range []string{
		"$share/g/", "$SHARE/", "$queue/", "$/", "$${clientid}/", "a/+/", "#", "\x00", "${x}/",
		"$a${username}/",
	} {
		if _, err := newTopicRules(ListenerConfig{Mountpoint: bad}); err == nil {
			t.Errorf("%q passes", bad)
		}
	}
	for _, good := range []string{"", "$aws/things/${clientid}/", "${clientid}/", "a$b/", "/"} {
		if _, err := newTopicRules(ListenerConfig{Mountpoint: good}); err != nil {
			t.Errorf("%q: %v", good, err)
		}
	}
}

// A mountpoint can make a valid filter too long, too deep or invalid.
func TestMountedTopicsAreChecked(t *testing.T) {
	for _, test := range []struct {
		mount, text string
		publish, ok bool
	}{
		{"dev-a", "#", false, false},
		{"dev-a", "+/x", false, false},
		{"dev-a", "/#", false, true},
		{"m/", strings.Repeat("x", 65533), true, true},
		{"m/", strings.Repeat("x", 65534), true, false},
		{"m/", strings.Repeat("x", 65534), false, false},
		{"m/", strings.Repeat("/", 127), true, false},
		{"", strings.Repeat("/", 127), true, true},
	} {
		_, got, ok := reach(t, ListenerConfig{Mountpoint: test.mount}, ClientInfo{ClientID: "a"}, test.text,
			test.publish)
		if ok != test.ok {
			t.Errorf("%.20q below %q: %.20q, %v", test.text, test.mount, got, ok)
		}
	}
}
