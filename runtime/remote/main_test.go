package remote_test

import (
	"os"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if adapter := os.Getenv(echoAdapterEnv); adapter != "" {
		serveEcho(adapter)
		return
	}
	goleak.VerifyTestMain(m)
}
