package handlertest

import (
	"log/slog"
	"strings"
	"testing"

	"github.com/exgate/exgate/runtime/gateway/gatewaytest"
)

// watchLog takes everything that is logged until the test ends, at every level, and fails it where a password is in there. Factories are to use
// the default logger.
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
