package handlertest

import (
	"log/slog"
	"strings"
	"testing"

	"github.com/exgate/exgate/runtime/gateway/gatewaytest"
)

// watchLog captures the log of the default logger until the test ends, at every level, and fails the test if it
// contains a password. Factories must use the default logger.
func watchLog(t *testing.T) {
	before := slog.Default()
	log := new(gatewaytest.Log)
	slog.SetDefault(log.Logger())
	t.Cleanup(func() {
		slog.SetDefault(before)
		if all := log.String(); strings.Contains(all, Secret) {
			t.Errorf("a password was logged:\n%s", all)
		}
		if t.Failed() {
			t.Log(log.String())
		}
	})
}
