package gateway

import (
	"errors"
	"fmt"
	"strings"

	"github.com/exgate/exgate/internal/topic"
)

// mountpoint checks client and resolves the mountpoint's placeholders. The listener's mountpoint wins; that of the handler counts where
// the listener has none, as handlers written before EMQX 5.1 expect.
func mountpoint(configured string, device Device) (string, Result) {
	if r := checkIdentity(device.ClientInfo); !r.Ok() {
		return "", r
	}
	mount, setting := configured, "listeners."+device.Listener+".mountpoint"
	if mount == "" {
		mount, setting = device.Mountpoint, "the handler's mountpoint"
	}
	filled, err := device.FillTopic(mount)
	if err == nil {
		err = topic.CheckMount(filled)
	}
	if err == nil && configured == "" && strings.HasPrefix(filled, "$") {
		err = fmt.Errorf("%.100q begins with '$', as topics of a broker's own do", filled) // it may be made of what the device calls itself
	}
	if err != nil {
		return "", Refuse(CodeParamsTypeError, "%s: %v", setting, err)
	}
	return filled, OK
}

// checkIdentity checks what a device calls itself. Both strings stand in CONNECT, and may stand in topics.
func checkIdentity(client ClientInfo) Result {
	err := errors.Join(topic.CheckString("clientid", client.ClientID), topic.CheckString("username", client.Username))
	switch {
	case err == nil:
		return OK
	case errors.Is(err, topic.ErrNoncharacter):
		return refusal(err)
	}
	return Refuse(CodeParamsTypeError, "clientid and username must be UTF-8 without control characters, at most %d bytes", topic.MaxString)
}

// checkPublish checks the arguments of Publish.
func checkPublish(name string, qos uint32) Result {
	if r := checkQoS(qos); !r.Ok() {
		return r
	}
	return refusal(topic.CheckName(name))
}

// checkSubscribe checks the arguments of Subscribe.
func checkSubscribe(filter string, qos uint32) Result {
	if r := checkQoS(qos); !r.Ok() {
		return r
	}
	return checkFilter(filter)
}

func checkFilter(filter string) Result { return refusal(topic.CheckFilter(filter)) }

// checkMounted checks a topic name or filter behind its mountpoint.
func checkMounted(mounted string, isName bool) Result {
	if isName {
		return refusal(topic.CheckName(mounted))
	}
	return refusal(topic.CheckFilter(mounted))
}

func checkQoS(qos uint32) Result {
	if qos > 2 {
		return Refuse(CodeParamsTypeError, "qos must be 0, 1 or 2, not %d", qos)
	}
	return OK
}

// refusal is an error of package topic as a Result.
func refusal(err error) Result {
	switch {
	case err == nil:
		return OK
	case errors.Is(err, topic.ErrEmpty):
		return Refuse(CodeRequiredParamsMiss, "topic is required")
	}
	return Refuse(CodeParamsTypeError, "%v", err)
}
