package service

import (
	"cmp"
	"context"
	"crypto/rand"

	"github.com/exgate/exgate/cmd/exgate/internal/config"
	"github.com/exgate/exgate/connectors/mqtt"
	"github.com/exgate/exgate/connectors/state"
	"github.com/exgate/exgate/connectors/state/retained"
	"github.com/exgate/exgate/runtime/gateway"
)

// startState opens the store for the state of devices. It is closed after the gateway, whose connections hand over what
// they have not saved yet.
func (s *Service) startState(context.Context) error {
	switch s.config().Upstream.State {
	case config.StateLocal:
		return s.localState()
	case config.StateBroker:
		return s.brokerState()
	}
	return nil
}

func (s *Service) localState() error {
	u := s.config().Upstream
	if err := stateFolder(u).Check(s.config()); err != nil {
		return err
	}
	store, err := state.Open(state.Config{
		Folder: u.LocalState(), ValueBytes: u.StateBytes, MaxBytes: int64(u.StateMaxBytes), Logger: s.log,
		Metrics: state.NewMetrics(s.registry),
	})
	if err != nil {
		return s.config().Problem("upstream.state", "%v", err)
	}
	s.gateway.SetStateStore(store)
	s.stops = append(s.stops, store.Close)
	return nil
}

// brokerState has a connection of its own to the broker, with the gateway's account: those of devices must not use the
// topics of states.
func (s *Service) brokerState() error {
	u := s.config().Upstream
	cfg, err := s.mqttConfig()
	if err != nil {
		return err
	}
	cfg.Spool, cfg.StateTopic = mqtt.SpoolConfig{}, ""
	cfg.DeviceStatus, cfg.GatewayStatus, cfg.UserProperties = mqtt.Status{}, mqtt.Status{}, false
	cfg.MessageExpiry, cfg.SessionExpiry, cfg.CleanStart = 0, 0, nil
	connector, err := mqtt.New(cfg)
	if err != nil {
		return s.config().Problem("upstream.state", "%v", err)
	}
	store := retained.New(retained.Config{
		Connector: connector, Password: cfg.Password, Topic: stateTopic(u),
		Client: gateway.ClientInfo{
			// two processes have one during an upgrade
			ClientID: "exgate-" + s.gateway.Node() + "-state-" + rand.Text()[:8], Username: cfg.Username,
		},
		ValueBytes: cmp.Or(u.StateBytes, state.DefaultValueBytes), Logger: s.log,
	})
	s.gateway.SetStateStore(store)
	s.stops = append(s.stops, store.Close)
	return nil
}

// stateTopic returns the prefix of the topics of states, or "" if the broker does not keep them.
func stateTopic(u config.Upstream) string {
	if u.State != config.StateBroker {
		return ""
	}
	return cmp.Or(u.StateTopic, config.StateTopic)
}

func stateFolder(u config.Upstream) Folder {
	key := "upstream.state_folder"
	if u.StateFolder == "" {
		key = "upstream.state"
	}
	return Folder{key, u.LocalState()}
}
