package remote

import (
	"github.com/exgate/exgate/runtime/remote/adapter"
	"github.com/exgate/exgate/runtime/remote/target"
)

// Callers of this package need not import those below it.
type (
	// Adapter is [adapter.Adapter].
	Adapter = adapter.Adapter
	// AdapterConfig is [adapter.Config].
	AdapterConfig = adapter.Config
	// PeersConfig is [adapter.PeersConfig].
	PeersConfig = adapter.PeersConfig
	// RawPublisher is [adapter.RawPublisher].
	RawPublisher = adapter.RawPublisher
	// OnFailure is [target.OnFailure].
	OnFailure = target.OnFailure
)

// NewAdapter is [adapter.New].
func NewAdapter(cfg AdapterConfig) (*Adapter, error) { return adapter.New(cfg) }

// The policies for failures, see package target.
const (
	OnFailureClose = target.OnFailureClose
	OnFailureRetry = target.OnFailureRetry
	OnFailureHold  = target.OnFailureHold
)
