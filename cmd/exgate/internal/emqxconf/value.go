package emqxconf

import (
	"math"
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/exgate/exgate/cmd/exgate/internal/emqxconf/hocon"
)

var durationPart = regexp.MustCompile(`^([0-9]*\.?[0-9]+)(ms|f|w|d|h|m|s)`)

var durationUnits = map[string]time.Duration{
	"ms": time.Millisecond, "s": time.Second, "m": time.Minute, "h": time.Hour,
	"d": 24 * time.Hour, "w": 7 * 24 * time.Hour, "f": 14 * 24 * time.Hour,
}

// parseDuration reads a duration as EMQX does: parts with the units f (fortnight), w, d, h, m, s and ms, or a number of
// milliseconds.
func parseDuration(text string) (time.Duration, bool) {
	if n, err := strconv.ParseUint(text, 10, 42); err == nil {
		return time.Duration(n) * time.Millisecond, true
	}
	rest, sum := strings.ToLower(text), 0.0
	for rest != "" {
		part := durationPart.FindStringSubmatch(rest)
		if part == nil {
			return 0, false
		}
		n, err := strconv.ParseFloat(part[1], 64)
		if sum += n * float64(durationUnits[part[2]]); err != nil || sum > math.MaxInt64/2 {
			return 0, false
		}
		rest = rest[len(part[0]):]
	}
	return time.Duration(sum).Round(time.Millisecond), text != ""
}

var sizeForm = regexp.MustCompile(`^([0-9]{1,9})(b|kb|mb|gb)?$`)

// parseSize converts a size to the format of exgate. Units are powers of 1024 in EMQX.
func parseSize(text string) (string, bool) {
	part := sizeForm.FindStringSubmatch(strings.ToLower(strings.TrimSpace(text)))
	if part == nil || strings.Trim(part[1], "0") == "" {
		return "", false
	}
	unit := map[string]string{"kb": "KiB", "mb": "MiB", "gb": "GiB"}[part[2]]
	return strings.TrimLeft(part[1], "0") + unit, true
}

// parseBind reads a listening address: a port, or an IP address and a port. EMQX needs no brackets around IPv6.
func parseBind(text string) (string, bool) {
	host, port := "", text
	if i := strings.LastIndexByte(text, ':'); i >= 0 {
		host, port = strings.Trim(text[:i], "[]"), text[i+1:]
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return "", false
	}
	if _, err := netip.ParseAddr(host); host != "" && err != nil {
		return "", false
	}
	return net.JoinHostPort(host, port), true
}

// parseURL reads the address of a handler: http or https, a host and a port.
func parseURL(text string) (target string, tls, ok bool) {
	u, err := url.Parse(text)
	if err != nil || u.Hostname() == "" || u.User != nil || u.Scheme != "http" && u.Scheme != "https" {
		return "", false, false
	}
	port := u.Port()
	switch {
	case port == "" && u.Scheme == "http":
		port = "80"
	case port == "":
		port = "443"
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return "", false, false
	}
	return net.JoinHostPort(u.Hostname(), port), u.Scheme == "https", true
}

// texts reads a list: an array, or comma-separated texts.
func texts(v *hocon.Value) []string {
	var all []string
	for _, item := range v.Items {
		all = append(all, item.Text)
	}
	if v.Kind == hocon.Scalar {
		all = strings.Split(v.Text, ",")
	}
	var some []string
	for _, text := range all {
		if text = strings.TrimSpace(text); text != "" {
			some = append(some, text)
		}
	}
	return some
}
