package module

import (
	"strings"
	"testing"

	"github.com/exgate/exgate/runtime/wasm"
)

// transcript is what a session prints, without the lines that say that a connection begins.
func transcript(t *testing.T, path, in string, o RunOptions) (string, error) {
	t.Helper()
	var out strings.Builder
	err := Run(t.Context(), open(t, path, "", wasm.Limits{}), strings.NewReader(in), &out, o)
	const begins = "+ 192.0.2.7:40000 connected\n< \"created type=0 peer=192.0.2.7:40000 " +
		"local=192.0.2.1:7000 cn= dn=\\n\"\n"
	return strings.ReplaceAll(out.String(), begins, ""), err
}

const goodbye = "- closed, tcp_closed\n  log INFO \"closed tcp_closed\"\n"

func TestRunShowsEveryCallAndItsResult(t *testing.T) {
	cases := []struct {
		name, in string
		options  RunOptions
		want     string
	}{
		{"echo", "echo hi\n", RunOptions{}, `> "echo hi\n"
< "hi\n"
` + goodbye},
		{"login", "auth a b secret\n", RunOptions{}, `> "auth a b secret\n"
  authenticate clientid="a" username="b" proto="probe"/"1" mountpoint="" password given: SUCCESS
  pause
  result of authenticate: SUCCESS
  resume
< "result 1 0\n"
` + goodbye},
		{"refused login", "auth a\n", RunOptions{Refuse: []string{"authenticate"}}, `> "auth a\n"
  authenticate clientid="a" username="" proto="probe"/"1" mountpoint="" password none: SUCCESS
  pause
  result of authenticate: PERMISSION_DENY: refused by --refuse authenticate
  resume
< "result 1 5 refused by --refuse authenticate\n"
` + goodbye},
		{"limit", "timer 9\nauth a\n", RunOptions{Limit: []string{"start_timer", "authenticate"}}, `> "timer 9\n"
  start_timer 0, 9 s: LIMIT: --limit start_timer
< "refused timer 16\n"
> "auth a\n"
  authenticate clientid="a" username="" proto="probe"/"1" mountpoint="" password none: LIMIT: --limit authenticate
< "refused auth 16\n"
` + goodbye},
		{"paused", "pause\necho late\n/drain\n", RunOptions{}, `> "pause\n"
  pause
  drain
< "drain\n"
  1 lines were not delivered: the module did not resume reading
` + goodbye},
		{"commands", "/message t x\n//x\n/close\n/nothing\n", RunOptions{}, `  no subscription matches "t"
> "/x\n"
< "error command\n"
` + goodbye + "  unknown command /nothing\n" + Commands + "\n"},
		{"closes", "leave\necho again\n", RunOptions{}, `> "leave\n"
  close
- closed, normal
  log INFO "closed normal"
> "echo again\n"
< "again\n"
` + goodbye},
		{"alarm", "alarm 3 2000000000\n/alarm 3\n", RunOptions{}, `> "alarm 3 2000000000\n"
  set_timer 3, 2000000000 ms: SUCCESS
< "ok\n"
  alarm 3
< "alarm 3\n"
` + goodbye},
		{"alarm limit", "alarm 3 250\n", RunOptions{Limit: []string{"set_timer"}}, `> "alarm 3 250\n"
  set_timer 3, 250 ms: LIMIT: --limit set_timer
< "refused alarm 16\n"
` + goodbye},
		{"timer", "/timer\n", RunOptions{}, `  timer 0 ends
< "timer 0\n"
- closed, keepalive_timeout
  log INFO "closed keepalive_timeout"
`},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got, err := transcript(t, cProbe, c.in, c.options)
			if err != nil || got != c.want {
				t.Errorf("%v\ngot\n%s\nwant\n%s", err, got, c.want)
			}
		})
	}
}

func TestWhatIsPublishedComesBackToWhoSubscribed(t *testing.T) {
	got, err := transcript(t, cProbe, "auth a\nsub t/+ 1\npub t/1 1 hi\nunsub t/+\npub t/1 0 gone\n/message t/2 x\n",
		RunOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"  subscribe \"t/+\" qos=1: SUCCESS\n", "  message \"t/1\" qos=1 \"hi\"\n< \"message " +
			"node=module-run id=1 qos=1", "  result of publish: SUCCESS\n",
		"no subscription matches \"t/2\"",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is missing in\n%s", want, got)
		}
	}
	if strings.Count(got, "  message ") != 1 {
		t.Errorf("an unsubscribed device got a message:\n%s", got)
	}
}

func TestRunSpeaksHexadecimalDigits(t *testing.T) {
	got, err := transcript(t, wrongGuest, "01 ff\n00\n", RunOptions{Hex: true, Socket: "udp"})
	want := "+ 192.0.2.7:40000 connected\n> 01ff\n< 01ff\n> 00\n< 00\n- closed, tcp_closed\n"
	if err != nil || got != want {
		t.Errorf("%v, got\n%s", err, got)
	}
	if _, err := transcript(t, wrongGuest, "xyz\n", RunOptions{Hex: true}); err == nil ||
		!strings.Contains(err.Error(), `"xyz"`) {
		t.Errorf("got %v", err)
	}
}

func TestRunGoesOnAfterAFaultAndReportsIt(t *testing.T) {
	got, err := transcript(t, cProbe, "trap\necho again\n", RunOptions{})
	if err == nil || !strings.Contains(err.Error(), "guest_trap") {
		t.Errorf("got %v", err)
	}
	if !strings.Contains(got, "- closed, guest_trap") || !strings.Contains(got, "< \"again\\n\"") {
		t.Errorf("got\n%s", got)
	}
}

func TestFiltersMatchAsInMQTT(t *testing.T) {
	cases := []struct {
		filter, topic string
		want          bool
	}{
		{"a/b", "a/b", true},
		{"a/b", "a/b/c", false},
		{"a/b/c", "a/b", false},
		{"a/+", "a/b", true},
		{"a/+", "a", false},
		{"a/+", "a/b/c", false},
		{"+/b", "a/b", true},
		{"#", "a/b", true},
		{"a/#", "a", true},
		{"a/#", "a/b/c", true},
		{"a/#", "ab", false},
		{"#", "$SYS/x", false},
		{"+/x", "$SYS/x", false},
		{"$SYS/#", "$SYS/x", true},
	}
	for _, c := range cases {
		if got := matches(c.filter, c.topic); got != c.want {
			t.Errorf("%s takes %s: %v", c.filter, c.topic, got)
		}
	}
}
