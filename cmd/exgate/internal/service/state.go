package service

import (
	"context"

	"github.com/exgate/exgate/cmd/exgate/internal/config"
	"github.com/exgate/exgate/connectors/state"
)

// startState opens the store for the state of devices. It is closed after the gateway, whose connections hand over what
// they have not saved yet.
func (s *Service) startState(context.Context) error {
	u := s.cfg.Upstream
	if u.State != config.StateLocal {
		return nil
	}
	if err := stateFolder(u).Check(s.cfg); err != nil {
		return err
	}
	store, err := state.Open(state.Config{
		Folder: u.LocalState(), ValueBytes: u.StateBytes, MaxBytes: int64(u.StateMaxBytes), Logger: s.log,
		Metrics: state.NewMetrics(s.registry),
	})
	if err != nil {
		return s.cfg.Problem("upstream.state", "%v", err)
	}
	s.gateway.SetStateStore(store)
	s.stops = append(s.stops, store.Close)
	return nil
}

func stateFolder(u config.Upstream) Folder {
	key := "upstream.state_folder"
	if u.StateFolder == "" {
		key = "upstream.state"
	}
	return Folder{key, u.LocalState()}
}
