package module

import (
	"os"
	"testing"
)

func TestSessionsAreTheDevicesOfACapture(t *testing.T) {
	file, err := os.ReadFile(recorded(t))
	if err != nil {
		t.Fatal(err)
	}
	sessions, err := Sessions(file)
	if err != nil || len(sessions) != 2 || len(sessions[1]) != 3 || string(sessions[1][0]) != "echo again\n" {
		t.Errorf("%q, %v", sessions, err)
	}
	if samples := Joined(sessions); len(samples) != 2 || string(samples[1]) != "echo again\ntimer 30\nleave\n" {
		t.Errorf("%q", samples)
	}
	if all := InOrder(sessions); len(all) != 2 {
		t.Errorf("%q", all)
	}
}

func TestFilesAreTheFramesOfOneDevice(t *testing.T) {
	first, err := Sessions([]byte("first"))
	if err != nil {
		t.Fatal(err)
	}
	second, err := Sessions([]byte("second"))
	if err != nil {
		t.Fatal(err)
	}
	if all := InOrder(append(first, second...)); len(all) != 1 || string(all[0][1]) != "second" {
		t.Errorf("%q", all)
	}
	for _, broken := range []string{captureBegins + `1}`, captureBegins + "1,\"listener\":\"a\",\"started\":\"2026-01-01T00:00:00Z\"}\n"} {
		if _, err := Sessions([]byte(broken)); err == nil {
			t.Errorf("taken: %s", broken)
		}
	}
}
