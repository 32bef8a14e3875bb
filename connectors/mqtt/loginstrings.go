package mqtt

import (
	"errors"

	"github.com/eclipse/paho.golang/paho"

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

// userProperties say of a device what MQTT does not: its protocol and where it is.
func userProperties(device gateway.Device) (list paho.UserProperties) {
	add := func(key, value string) {
		if value != "" {
			list = append(list, paho.UserProperty{Key: key, Value: value})
		}
	}
	add("protocol", device.ProtoName)
	add("protocol_version", device.ProtoVersion)
	if device.Peer.IsValid() {
		add("peer", device.Peer.String())
	}
	add("listener", device.Listener)
	return list
}

// checkUserProperties refuses a device whose user properties cannot be sent: a broker would end the connection for each of its messages.
func (b *broker) checkUserProperties(device gateway.Device) error {
	if !b.cfg.UserProperties {
		return nil
	}
	for _, p := range userProperties(device) {
		if err := topic.CheckString("the user property "+p.Key+" (upstream.user_properties)", p.Value); err != nil {
			return &gateway.ResultError{Result: gateway.Refuse(gateway.CodeParamsTypeError, "%v", err)}
		}
	}
	return nil
}
