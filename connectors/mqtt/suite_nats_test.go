package mqtt_test

import (
	"context"
	"strings"
	"testing"

	"github.com/exgate/exgate/connectors/connectortest"
	"github.com/exgate/exgate/connectors/connectortest/brokers"
	"github.com/exgate/exgate/connectors/mqtt"
	"github.com/exgate/exgate/runtime/gateway"
)

func TestNATSKnowsOnlyMQTT311(t *testing.T) {
	c, err := mqtt.New(mqtt.Config{URL: brokers.StartNATS(t).URL()})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := c.Close(context.Background()); err != nil {
			t.Error(err)
		}
	}()
	_, err = c.Connect(t.Context(), gateway.Device{ClientInfo: gateway.ClientInfo{ClientID: "c"}}, "",
		connectortest.NewDevice())
	if err == nil {
		t.Fatal("connected")
	}
	for _, part := range []string{"exgate speaks MQTT 5", "may know only MQTT 3.1.1", "upstream.url"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("the error has no %q: %v", part, err)
		}
	}
}
