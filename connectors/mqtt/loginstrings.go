package mqtt

import (
	"errors"

	"github.com/exgate/exgate/internal/topic"
	"github.com/exgate/exgate/runtime/gateway"
)

// checkLogin refuses a device whose strings cannot stand in MQTT packets: the packets would be cut, or the broker would end the connection.
func (b *broker) checkLogin(device gateway.Device, password string) error {
	if device.ClientID == "" {
		return &gateway.ResultError{Result: gateway.Refuse(gateway.CodeRequiredParamsMiss, "the client id is empty")}
	}
	err := errors.Join(topic.CheckClientID(device.ClientID), topic.CheckString("username", device.Username), topic.CheckBinary("password", password))
	if err == nil && b.cfg.UserProperties {
		for _, p := range userProperties(device) {
			err = errors.Join(err, topic.CheckString("upstream.user_properties: "+p.Key, p.Value))
		}
	}
	if err != nil {
		return &gateway.ResultError{Result: gateway.Refuse(gateway.CodeParamsTypeError, "%v", err)}
	}
	return nil
}
