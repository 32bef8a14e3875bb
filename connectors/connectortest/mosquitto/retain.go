package mosquitto

import (
	"net"
	"os/exec"
	"testing"
)

// Retain stores a retained message at any broker. If username is empty, it connects without credentials.
func Retain(t testing.TB, addr, username, password, topic, payload string) {
	t.Helper()
	program := Program(t, "mosquitto_pub")
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	args := []string{"-V", "5", "-h", host, "-p", port, "-q", "1", "-r", "-t", topic, "-m", payload}
	if username != "" {
		args = append(args, "-u", username, "-P", password)
	}
	if out, err := exec.Command(program, args...).CombinedOutput(); err != nil {
		t.Fatalf("mosquitto_pub: %v: %s", err, out)
	}
}
