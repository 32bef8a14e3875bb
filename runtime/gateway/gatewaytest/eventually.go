package gatewaytest

import (
	"testing"
	"time"
)

// patience allows for a busy machine.
const patience = 90 * time.Second

// Eventually waits until a condition holds, and fails the test after 90 s.
func Eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited %v in vain: %s", patience, what)
		}
	}
}
