package shared

import (
	"flag"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	flag.Parse()
	_ = flag.Set("test.parallel", "64") // parallel tests mostly wait
	goleak.VerifyTestMain(m)
}
