package manifest

import (
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/exgate/exgate/hostabi"
)

const (
	maxText       = 256 // characters of a text
	maxLinks      = 16
	maxTransports = 32
	maxTopics     = 256
)

var (
	validName  = regexp.MustCompile(`^[a-z0-9]+([_-][a-z0-9]+)*$`)
	directions = []string{"publish", "subscribe"}
	transports = []string{"tcp", "tls", "udp", "dtls", "ws", "wss"}
)

// check checks everything but the schemas.
func (m *Manifest) check() error {
	switch {
	case !validName.MatchString(m.Name) || len(m.Name) > 64:
		return fmt.Errorf("name %s: use up to 64 of a-z, 0-9, - and _", quoted(m.Name))
	case m.Version == "":
		return fmt.Errorf("version is missing")
	case m.ABIMinor < 0 || m.ABIMinor > hostabi.Minor:
		return fmt.Errorf("abi_minor %d: this host has minor %d of %s", m.ABIMinor, hostabi.Minor, hostabi.ModuleName)
	case len(m.Links) > maxLinks || len(m.Transports) > maxTransports || len(m.Topics) > maxTopics:
		return fmt.Errorf("at most %d links, %d transports and %d topics", maxLinks, maxTransports, maxTopics)
	}
	texts := map[string]string{"version": m.Version, "license": m.License, "author": m.Author}
	for i, t := range m.Topics {
		key := "topics[" + strconv.Itoa(i) + "]"
		texts[key+".topic"], texts[key+".about"] = t.Topic, t.About
		if t.Topic == "" || !slices.Contains(directions, t.Direction) {
			return fmt.Errorf("%s needs topic, and direction: publish or subscribe", key)
		}
	}
	for what, link := range m.Links {
		texts["links"], texts["links."+printable(what)] = what, link
		if u, err := url.Parse(link); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
			return fmt.Errorf("links.%s: %s is not an http or https address", printable(what), quoted(link))
		}
	}
	for i, t := range m.Transports {
		if !slices.Contains(transports, t.Type) || t.Port < 0 || t.Port > 65535 {
			return fmt.Errorf("transports[%d]: type must be one of %s, and port at most 65535", i,
				strings.Join(transports, ", "))
		}
	}
	for _, key := range slices.Sorted(maps.Keys(texts)) {
		if text := texts[key]; len(text) > maxText || strings.ContainsFunc(text, unprintable) {
			return fmt.Errorf("%s %s: at most %d bytes, of printable characters", key, quoted(text), maxText)
		}
	}
	return nil
}

func unprintable(r rune) bool { return !unicode.IsPrint(r) || r == unicode.ReplacementChar }

// quoted quotes text, shortened if it is long.
func quoted(text string) string {
	if len(text) > 60 {
		return strconv.QuoteToASCII(text[:60]) + "..."
	}
	return strconv.QuoteToASCII(text)
}

const maxMessage = 300

// printable returns the text of an error that may have hostile text in it: at most maxMessage bytes, without control
// characters.
func printable(text string) string {
	if len(text) > maxMessage {
		text = text[:maxMessage] + "..."
	}
	return strings.Map(func(r rune) rune {
		if unprintable(r) {
			return '?'
		}
		return r
	}, text)
}
