package gatewaytest

import (
	"testing"
	"time"
)

// patience is for a machine that does much else.
const patience = 30 * time.Second

// Eventually waits until a condition holds, and ends the test where it does not come about within half a minute.
func Eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited %v in vain: %s", patience, what)
		}
	}
}
