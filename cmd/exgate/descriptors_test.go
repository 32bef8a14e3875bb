package main

import (
	"fmt"
	"net"
	"net/http"
	"os/exec"
	"testing"
)

const fewDescriptors = `upstream: {embedded: {bind: 127.0.0.1:0}}
metrics: {bind: 127.0.0.1:0}
listeners:
  demo: {bind: 127.0.0.1:0, idle_timeout: 1h, handler: {wasm: builtin:line}}
  other: {bind: 127.0.0.1:0, idle_timeout: 1h, handler: {wasm: builtin:line}}
`

// With 200 file descriptors, several times as many silent connections on any port lock out neither devices nor the
// operator.
func TestFewDescriptors(t *testing.T) {
	g := newGate(t, fewDescriptors)
	g.start(exec.Command("sh", "-c", `ulimit -n 200 && exec "$0" run -c exgate.yaml`, g.program))
	sockets := g.sockets()
	old := newLineDevice(t, "tcp", sockets["demo"])
	if err := old.say("login old"); err != nil {
		t.Fatal(err)
	}
	for _, port := range []string{"demo", "metrics", "broker"} {
		for range 600 {
			if c, err := net.Dial("tcp", sockets[port]); err == nil { // the refused one may be reset first
				t.Cleanup(func() { _ = c.Close() })
			}
		}
		for i := range 3 {
			if err := healthy("http://" + sockets["metrics"] + "/healthz"); err != nil {
				t.Errorf("after connections to %s: %v", port, err)
			}
			if err := old.ping(); err != nil {
				t.Errorf("after connections to %s, the device that was there: %v", port, err)
			}
			for _, name := range []string{"demo", "other"} {
				if err := newLineDevice(t, "tcp", sockets[name]).say(fmt.Sprintf("login %s-%s-%d", port, name,
					i)); err != nil {
					t.Errorf("after connections to %s, a new device of %s: %v", port, name, err)
				}
			}
		}
	}
	g.await("no file descriptors are left for more devices")
}

func healthy(url string) error {
	client := http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true}}
	r, err := client.Get(url)
	if err != nil {
		return err
	}
	_ = r.Body.Close()
	if r.StatusCode != http.StatusOK {
		return fmt.Errorf("%s", r.Status)
	}
	return nil
}
