package handlertest

import (
	"bufio"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/exgate/exgate/runtime/gateway"
)

// alarmScenarios are conversations with the probe of hostabi/conformance/probe.md about its timers.
var alarmScenarios = []scenario{
	{name: "alarm_fires_once", play: alarmFiresOnce},
	{name: "alarm_replaced_and_cancelled", play: alarmReplaced},
	{name: "alarm_refused", play: alarmRefused},
	{name: "alarm_ends_with_its_connection", play: alarmEnds},
}

// RunAlarms plays timers against handlers of newFactory, which must speak the lines echo and alarm of the probe. They
// may greet the device with a line that begins with "created".
func RunAlarms(t *testing.T, name string, newFactory func(t *testing.T) gateway.HandlerFactory) {
	t.Run(name, func(t *testing.T) {
		for _, s := range alarmScenarios {
			t.Run(s.name, func(t *testing.T) { run(t, s, newFactory, withoutGreeting) })
		}
	})
}

var greeting = regexp.MustCompile(`(?m)^  < send created .*\n`)

func withoutGreeting(t *trace) string { return greeting.ReplaceAllString(t.String(), "") }

// lines reads what a device is sent as lines.
type lines struct {
	*device
	reader *bufio.Reader
}

func (sc *scene) dialLines() *lines {
	sc.t.Helper()
	d := sc.dial(1)
	return &lines{d, bufio.NewReader(d.conn)}
}

// say sends text, and expects the lines of want.
func (l *lines) say(text, want string) {
	l.t.Helper()
	l.send(text)
	l.hear(want)
}

// hear expects the lines of want.
func (l *lines) hear(want string) {
	l.t.Helper()
	for line := range strings.Lines(want) {
		got, err := l.reader.ReadString('\n')
		if err == nil && strings.HasPrefix(got, "created ") {
			got, err = l.reader.ReadString('\n')
		}
		if err != nil || got != line {
			l.t.Fatalf("got %q, %v, want %q", got, err, line)
		}
	}
}

func alarmFiresOnce(sc *scene) {
	d := sc.dialLines()
	d.say("alarm 15 10\n", "ok\nalarm 15\n")
	d.say("echo it is still open\n", "it is still open\n")
	d.say("alarm 0 10\n", "ok\nalarm 0\n")
	sc.leave(d.device, 1)
}

func alarmReplaced(sc *scene) {
	d := sc.dialLines()
	d.say("alarm 1 60000\nalarm 2 60000\nalarm 1 4294967295\nalarm 2 10\n", "ok\nok\nok\nok\nalarm 2\n")
	sc.leave(d.device, 1)
}

func alarmRefused(sc *scene) {
	d := sc.dialLines()
	d.say("alarm 16 10\nalarm 4294967295 10\nalarm 0 9\nalarm 0 0\n",
		strings.Repeat("refused alarm 4\n", 4))
	sc.leave(d.device, 1)
}

func alarmEnds(sc *scene) {
	d := sc.dialLines()
	d.say("alarm 1 2147483647\n", "ok\n")
	sc.leave(d.device, 1)
}

// AnswerAlarms answers whole lines from a device as the probe does, for handlers written in Go. set sets a timer and
// returns the code.
func AnswerAlarms(received []byte, set func(id uint32, ms int32) int) []byte {
	var answer []byte
	for line := range strings.Lines(string(received)) {
		if text, ok := strings.CutPrefix(line, "echo "); ok {
			answer = append(answer, text...)
			continue
		}
		var id, ms uint32
		if _, err := fmt.Sscanf(line, "alarm %d %d\n", &id, &ms); err != nil {
			answer = append(answer, "error command\n"...)
		} else if code := set(id, int32(ms)); code != 0 {
			answer = fmt.Appendf(answer, "refused alarm %d\n", code)
		} else {
			answer = append(answer, "ok\n"...)
		}
	}
	return answer
}

// AnswerAlarm returns what the probe sends when a timer has fired.
func AnswerAlarm(id uint32) []byte { return fmt.Appendf(nil, "alarm %d\n", id) }
