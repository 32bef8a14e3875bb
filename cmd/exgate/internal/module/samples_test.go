package module

import (
	"os"
	"testing"
)

func TestSamplesAreTheDevicesBytesOfACapture(t *testing.T) {
	file, err := os.ReadFile(repository + "runtime/capture/testdata/every.exgc")
	if err != nil {
		t.Fatal(err)
	}
	if samples, err := Samples(file); err != nil || len(samples) == 0 || len(samples[0]) >= len(file) {
		t.Errorf("%d samples, %v", len(samples), err)
	}
	if samples, err := Samples([]byte("frame")); err != nil || len(samples) != 1 || string(samples[0]) != "frame" {
		t.Errorf("%q, %v", samples, err)
	}
	if _, err := Samples([]byte(captureBegins + `1}`)); err == nil {
		t.Error("a broken capture is taken")
	}
}
