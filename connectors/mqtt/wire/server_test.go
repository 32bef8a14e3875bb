package wire

import (
	"strings"
	"testing"
)

func TestURLDefaults(t *testing.T) {
	for url, want := range map[string]string{
		"mqtt://h": "h:1883", "mqtt://h:1": "h:1", "tcp://h": "h:1883", "mqtts://h": "h:8883",
		"ssl://[::1]:9/": "[::1]:9",
	} {
		a, err := parseURL(url, nil)
		if err != nil || a.HostPort != want || (a.TLS != nil) != (strings.HasPrefix(url, "mqtts") ||
			strings.HasPrefix(url, "ssl")) {
			t.Errorf("%s: %+v, %v", url, a, err)
		}
	}
}
