package module

import (
	"encoding/json"
	"fmt"
	"io"
)

// PrintBenchJSON writes a measurement as JSON.
func PrintBenchJSON(w io.Writer, m Measurement) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(m)
}

// PrintBenchText writes a measurement as text.
func PrintBenchText(w io.Writer, m Measurement) error {
	image := "from the beginning"
	if m.StartImage {
		image = "as a copy of the first one"
	}
	_, err := fmt.Fprintf(w, `events/s     %.0f on one instance (%d events, %d connections)
ns/event     %.0f
MiB/s        %.1f
fuel/event   %.0f, at most %d
start        %s, %s
memory       %d KiB at the start, at most %d KiB
`, m.EventsPerSecond, m.Events, m.Devices, m.Nanoseconds, m.BytesPerSecond/(1<<20), m.Fuel, m.PeakFuel, m.Start, image,
		m.MemoryKiB, m.PeakMemoryKiB)
	if err == nil && m.ResidentKiB > 0 {
		_, err = fmt.Fprintf(w, "resident     %d KiB for each idle instance with isolation: connection\n",
			m.ResidentKiB)
	}
	return err
}
