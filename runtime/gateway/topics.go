package gateway

import (
	"strings"
	"unicode/utf8"
)

// maxString is MQTT's limit for a string (MQTT 5, section 1.5.4).
const maxString = 65535

// mountpoint checks client and resolves the mountpoint's placeholders. The listener's mountpoint wins; that of the handler counts where
// the listener has none, as handlers written before EMQX 5.1 expect.
func mountpoint(configured string, device Device) (string, Result) {
	if !validString(device.ClientID) || !validString(device.Username) {
		return "", Refuse(CodeParamsTypeError, "clientid and username must be UTF-8 without control characters, at most %d bytes", maxString)
	}
	mount := configured
	if mount == "" {
		mount = device.Mountpoint
	}
	mount, what, ok := device.Fill(mount)
	if !ok {
		return "", Refuse(CodeParamsTypeError, "mountpoint uses %s, which must not be empty or contain '+' or '#'", what)
	}
	if strings.ContainsAny(mount, "+#") || !validString(mount) {
		return "", Refuse(CodeParamsTypeError, "mountpoint must not contain wildcards or control characters")
	}
	return mount, OK
}

func validString(s string) bool {
	return len(s) <= maxString && utf8.ValidString(s) && !strings.ContainsFunc(s, isControl)
}

func isControl(r rune) bool { return r < 0x20 || (r >= 0x7f && r < 0xa0) }

// checkPublish checks the arguments of Publish.
func checkPublish(topic string, qos uint32) Result {
	if r := checkQoS(qos); !r.Ok() {
		return r
	}
	if r := checkTopic(topic); !r.Ok() {
		return r
	}
	if strings.ContainsAny(topic, "+#") {
		return Refuse(CodeParamsTypeError, "a topic to publish to must not contain '+' or '#'")
	}
	return OK
}

func checkQoS(qos uint32) Result {
	if qos > 2 {
		return Refuse(CodeParamsTypeError, "qos must be 0, 1 or 2, not %d", qos)
	}
	return OK
}

func checkTopic(topic string) Result {
	switch {
	case topic == "":
		return Refuse(CodeRequiredParamsMiss, "topic is required")
	case !validString(topic):
		return Refuse(CodeParamsTypeError, "topic must be UTF-8 without control characters, at most %d bytes", maxString)
	}
	return OK
}

// checkFilter checks a topic filter (MQTT 5, section 4.7).
func checkFilter(filter string) Result {
	if r := checkTopic(filter); !r.Ok() {
		return r
	}
	_, rest, shared := splitShare(filter)
	if strings.HasPrefix(filter, "$share/") && !shared {
		return Refuse(CodeParamsTypeError, "a shared subscription is $share/group/filter")
	}
	levels := strings.Split(rest, "/")
	for i, l := range levels {
		last := i == len(levels)-1
		if (strings.Contains(l, "#") && (l != "#" || !last)) || (strings.Contains(l, "+") && l != "+") {
			return Refuse(CodeParamsTypeError, "'#' must be the last level of a filter, '+' a whole level")
		}
	}
	return OK
}

// splitShare splits $share/group/filter into "$share/group/" and the filter proper.
func splitShare(filter string) (prefix, rest string, shared bool) {
	after, ok := strings.CutPrefix(filter, "$share/")
	if !ok {
		return "", filter, false
	}
	group, rest, ok := strings.Cut(after, "/")
	if !ok || group == "" || rest == "" || strings.ContainsAny(group, "+#") {
		return "", filter, false
	}
	return "$share/" + group + "/", rest, true
}

// mountFilter prefixes a filter with the mountpoint, inside of $share/group/.
func mountFilter(mount, filter string) string {
	if mount == "" {
		return filter
	}
	prefix, rest, _ := splitShare(filter)
	return prefix + mount + rest
}
