package mqtt_test

import (
	"testing"
	"time"

	"github.com/exgate/exgate/connectors/connectortest"
	"github.com/exgate/exgate/connectors/connectortest/brokers"
	"github.com/exgate/exgate/connectors/connectortest/mosquitto"
	"github.com/exgate/exgate/connectors/mqtt"
	"github.com/exgate/exgate/runtime/gateway"
)

func TestSuiteHiveMQ(t *testing.T) {
	b := brokers.StartHiveMQ(t, brokers.HiveMQOptions{
		Users:  map[string]string{"device": "secret"},
		Denied: []string{"denied/topic"},
	})
	connectortest.Run(t, connectortest.Target{
		New: func(t *testing.T) gateway.Connector {
			c, err := mqtt.New(mqtt.Config{URL: b.URL(), ReconnectDelay: 50 * time.Millisecond})
			if err != nil {
				t.Fatal(err)
			}
			return c
		},
		Username: "device", Password: "secret", WrongPassword: "guess", DeniedTopic: "denied/topic", MaxQoS: 2,
		Retain: func(t *testing.T, topic, payload string) {
			mosquitto.Retain(t, b.Addr(), "device", "secret", topic, payload)
		},
	})
}
