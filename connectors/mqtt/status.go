package mqtt

import (
	"errors"
	"fmt"
	"strings"

	"github.com/exgate/exgate/internal/topic"
	"github.com/exgate/exgate/runtime/gateway"
)

// Status is a topic that says who is connected. What is published there while somebody is, and what when not; the broker publishes the latter itself
// where the connection ends without a goodbye (MQTT 5, section 3.1.2.5, the will).
type Status struct {
	// Topic may contain ${clientid}, ${username}, ${listener} and ${module} for devices, and ${node} for the gateway. If zero, there is no status.
	Topic string
	// Online and Offline are the payloads. If zero, "online" and "offline".
	Online, Offline string
	// QoS is that of both. If zero, 0.
	QoS byte
	// Retain has the broker keep the last of them.
	Retain bool
}

func (s Status) withDefaults() Status {
	if s.Topic != "" {
		setDefault(&s.Online, "online")
		setDefault(&s.Offline, "offline")
	}
	return s
}

// check says what is wrong, after the name of the setting.
func (s Status) check(setting string, known ...string) error {
	if s.Topic == "" {
		return nil
	}
	if p := gateway.UnknownPlaceholder(s.Topic, known...); p != "" {
		return fmt.Errorf("%s.topic: %s is not known here: there are %s", setting, p, strings.Join(known, ", "))
	}
	if err := topic.CheckName(s.Topic); err != nil {
		return fmt.Errorf("%s.topic: %w", setting, err)
	}
	if err := errors.Join(topic.CheckBinary(setting+".online", s.Online), topic.CheckBinary(setting+".offline", s.Offline)); err != nil {
		return err
	}
	if s.QoS > 2 {
		return fmt.Errorf("%s.qos: QoS %d does not exist", setting, s.QoS)
	}
	return nil
}

// of is the status of one device. Without a topic for it, it has none.
func (s Status) of(device gateway.Device) (Status, error) {
	if s.Topic == "" {
		return s, nil
	}
	filled, err := device.FillTopic(s.Topic)
	if err == nil {
		err = topic.CheckName(filled)
	}
	if err != nil {
		return Status{}, &gateway.ResultError{Result: gateway.Refuse(gateway.CodeParamsTypeError, "upstream.device_status.topic: %v", err)}
	}
	s.Topic = filled
	return s, nil
}

// ofNode is the status of the gateway.
func (s Status) ofNode(node string) Status {
	s.Topic = strings.ReplaceAll(s.Topic, "${node}", cleanLevel(node))
	return s
}

// cleanLevel makes a name one level of a topic.
func cleanLevel(name string) string {
	return strings.NewReplacer("+", "-", "#", "-", "/", "-").Replace(name)
}

func (s Status) isSet() bool { return s.Topic != "" }
