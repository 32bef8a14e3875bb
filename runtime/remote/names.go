package remote

import (
	"github.com/exgate/exgate/runtime/remote/adapter"
	"github.com/exgate/exgate/runtime/remote/target"
)

// Adapter and its configuration are declared in package adapter, OnFailure in package target.
type (
	Adapter       = adapter.Adapter
	AdapterConfig = adapter.Config
	PeersConfig   = adapter.PeersConfig
	RawPublisher  = adapter.RawPublisher
	OnFailure     = target.OnFailure
)

// NewAdapter is [adapter.New].
func NewAdapter(cfg AdapterConfig) (*Adapter, error) { return adapter.New(cfg) }

// The policies for failures, see package target.
const (
	OnFailureClose = target.OnFailureClose
	OnFailureRetry = target.OnFailureRetry
	OnFailureHold  = target.OnFailureHold
)
