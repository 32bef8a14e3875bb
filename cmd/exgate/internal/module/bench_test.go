package module

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/exgate/exgate/runtime/wasm"
)

func TestBenchMeasuresSessions(t *testing.T) {
	var progress []string
	m, err := Bench(t.Context(), open(t, cProbe, "", wasm.Limits{}), BenchOptions{
		Sessions: []Session{{
			[]byte("auth a\n"), []byte("pub t 1 x\n"), []byte("leave\n"),
			[]byte("never\n"),
		}}, For: 300 * time.Millisecond,
		Progress: func(what string) { progress = append(progress, what) },
	})
	if err != nil || m.Events == 0 || m.Nanoseconds == 0 || m.Fuel == 0 || m.MemoryKiB == 0 || m.Start == "" ||
		len(progress) == 0 {
		t.Fatalf("%v, %+v, %v", err, m, progress)
	}
	if m.Devices != m.Events/3 {
		t.Errorf("%d devices in %d events: the third one ends each", m.Devices, m.Events)
	}
	var text, program bytes.Buffer
	if err := PrintBenchText(&text, m); err != nil || !strings.Contains(text.String(), "events/s ") {
		t.Errorf("%v\n%s", err, &text)
	}
	var back Measurement
	if err := PrintBenchJSON(&program, m); err != nil || json.Unmarshal(program.Bytes(), &back) != nil || back != m {
		t.Errorf("%v\n%s", err, &program)
	}
}

func TestBenchNamesTheEventThatFails(t *testing.T) {
	_, err := Bench(t.Context(), open(t, cProbe, "", wasm.Limits{}), BenchOptions{
		Sessions: []Session{{[]byte("echo\n"), []byte("trap\n")}}, For: time.Minute,
	})
	if err == nil || !strings.Contains(err.Error(), "event 2 ") || !strings.Contains(err.Error(), "guest_trap") {
		t.Errorf("got %v", err)
	}
}
