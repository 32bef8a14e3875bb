package embedded

import (
	"errors"

	"github.com/mochi-mqtt/server/v2/packets"

	"github.com/exgate/exgate/internal/topic"
	"github.com/exgate/exgate/runtime/gateway"
)

// checkLogin checks the strings of a login, of devices and network clients.
func checkLogin(device gateway.Device, password string) error {
	return errors.Join(topic.CheckClientID(device.ClientID), topic.CheckString("username", device.Username),
		topic.CheckBinary("password", password))
}

// checkConnect checks the strings in a network client's CONNECT. mochi itself rejects invalid UTF-8 and NUL.
func checkConnect(device gateway.Device, pk packets.Packet) error {
	err := errors.Join(checkLogin(device, string(pk.Connect.Password)), checkProperties(pk.Properties))
	if pk.Connect.WillFlag {
		err = errors.Join(err, topic.CheckName(pk.Connect.WillTopic), checkProperties(pk.Connect.WillProperties))
	}
	return err
}

// checkProperties checks the strings that subscribers receive in addition to the topic.
func checkProperties(p packets.Properties) error {
	err := topic.CheckString("content type", p.ContentType)
	if p.ResponseTopic != "" {
		err = errors.Join(err, topic.CheckName(p.ResponseTopic))
	}
	for _, user := range p.User {
		err = errors.Join(err, topic.CheckString("user property", user.Key),
			topic.CheckString("user property", user.Val))
	}
	return err
}
