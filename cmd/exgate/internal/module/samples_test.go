package module

import (
	"os"
	"strings"
	"testing"
)

func TestSessionsAreTheDevicesOfACapture(t *testing.T) {
	file, err := os.ReadFile(recorded(t))
	if err != nil {
		t.Fatal(err)
	}
	sessions, covered, err := Sessions(file)
	if err != nil || len(sessions) != 2 || len(sessions[1]) != 3 || string(sessions[1][0]) != "echo again\n" {
		t.Errorf("%q, %v", sessions, err)
	}
	if covered != 0 {
		t.Errorf("%d connections have a covered password, though the author typed it", covered)
	}
	if _, covered, err = Sessions([]byte(strings.Replace(string(file), `"event":"bytes"`,
		`"event":"bytes","covered":true`, 1))); covered != 0 || err == nil {
		t.Errorf("a line that was changed is taken: %v", err)
	}
	text, err := os.ReadFile(withCovered(t, recorded(t)))
	if err != nil {
		t.Fatal(err)
	}
	if _, covered, err = Sessions(text); covered != 1 || err != nil {
		t.Errorf("%d connections have a covered password, %v; want 1", covered, err)
	}
	if samples := Joined(sessions); len(samples) != 2 || string(samples[1]) != "echo again\ntimer 30\nleave\n" {
		t.Errorf("%q", samples)
	}
	if all := InOrder(sessions); len(all) != 2 {
		t.Errorf("%q", all)
	}
}

func TestFilesAreTheFramesOfOneDevice(t *testing.T) {
	first, _, err := Sessions([]byte("first"))
	if err != nil {
		t.Fatal(err)
	}
	second, _, err := Sessions([]byte("second"))
	if err != nil {
		t.Fatal(err)
	}
	if all := InOrder(append(first, second...)); len(all) != 1 || string(all[0][1]) != "second" {
		t.Errorf("%q", all)
	}
	for _, broken := range []string{
		captureBegins + `1}`,
		captureBegins + "1,\"listener\":\"a\",\"started\":\"2026-01-01T00:00:00Z\"}\n",
	} {
		if _, _, err := Sessions([]byte(broken)); err == nil {
			t.Errorf("taken: %s", broken)
		}
	}
}
