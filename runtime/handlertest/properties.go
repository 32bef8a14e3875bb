package handlertest

import (
	"regexp"
	"strings"
	"testing"

	"github.com/exgate/exgate/runtime/gateway"
)

// propertyScenarios are conversations with the probe of hostabi/conformance/probe.md about properties of messages.
var propertyScenarios = []scenario{
	{name: "properties_refused", play: propertiesRefused},
	{name: "properties_there_and_back", mountpoint: "site/${clientid}/", play: propertiesThereAndBack},
}

// RunProperties plays messages with properties against handlers of newFactory, which must speak the lines auth, sub,
// pubp and answer of the probe.
func RunProperties(t *testing.T, name string, newFactory func(t *testing.T) gateway.HandlerFactory) {
	t.Run(name, func(t *testing.T) {
		for _, s := range propertyScenarios {
			t.Run(s.name, func(t *testing.T) { run(t, s, newFactory, withoutTimes) })
		}
	})
}

var times = regexp.MustCompile(` at=\d+`)

func withoutTimes(t *trace) string { return times.ReplaceAllString(withoutGreeting(t), " at=T") }

// hearMessage expects a line of a message, whatever its time is.
func (l *lines) hearMessage(want string) {
	l.t.Helper()
	got, err := l.reader.ReadString('\n')
	if got = times.ReplaceAllString(got, " at=T"); err != nil || got != want {
		l.t.Fatalf("got %q, %v, want %q", got, err, want)
	}
}

// propertiesThereAndBack publishes a request, answers it, and receives the answer: the mountpoint is added to and
// removed from the response topic.
func propertiesThereAndBack(sc *scene) {
	d := sc.dialLines()
	d.say("pubp t 1 1 0 - - - - - x\n", "refused pubp 5\n")
	d.say("auth c1 u1 "+rightPassword+"\n", "result 1 0\n")
	d.say("sub down/# 1\n", "result 3 0\n")
	d.say("pubp down/x 1 1 60 text/plain down/r/1 c1 key value hello there\n", "result 2 0\n")
	sc.flow(`site/c1/down/x qos 1 hello there expiry=60 content_type="text/plain" ` +
		`response_topic="site/c1/down/r/1" correlation="c1" user="key"="value"`)
	d.hearMessage("message node=handlertest id=1 qos=1 from= topic=down/x at=T payload=hello there expiry=60 " +
		"type=text/plain response=down/r/1 correlation=c1 key=value\n")
	d.say("answer 1 it is done\n", "result 2 0\n")
	sc.flow(`site/c1/down/r/1 qos 1 it is done correlation="c1"`)
	d.hearMessage("message node=handlertest id=2 qos=1 from= topic=down/r/1 at=T payload=it is done correlation=c1\n")
	sc.leave(d.device, 1)
}

// propertiesRefused publishes with invalid response topics; nothing reaches the upstream.
func propertiesRefused(sc *scene) {
	d := sc.dialLines()
	d.say("auth c1 u1 "+rightPassword+"\n", "result 1 0\n")
	for _, response := range []string{"a/#", "+", "$SYS/x", "$share/g/t"} {
		d.say("pubp t 1 0 0 - "+response+" - - - x\n", "refused pubp 4\n")
	}
	d.say("answer 0 nobody asked\n", "refused answer 3\n")
	d.say("pubp t 1 0 4294967295 - - - "+strings.Repeat("k", 40)+" v x\n", "result 2 0\n")
	sc.flow(`t qos 1 x expiry=4294967295 user="` + strings.Repeat("k", 40) + `"="v"`)
	sc.leave(d.device, 1)
}
