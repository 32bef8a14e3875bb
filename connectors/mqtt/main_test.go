package mqtt

import (
	"flag"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	flag.Parse()
	_ = flag.Set("test.parallel", "64") // what is parallel here waits most of the time
	goleak.VerifyTestMain(m)
}
