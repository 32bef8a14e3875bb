package remote

import (
	"github.com/exgate/exgate/runtime/remote/adapter"
	"github.com/exgate/exgate/runtime/remote/target"
)

// The adapter is in a package of its own, and so is the policy for failures.
type (
	Adapter       = adapter.Adapter
	AdapterConfig = adapter.Config
	PeersConfig   = adapter.PeersConfig
	RawPublisher  = adapter.RawPublisher
	OnFailure     = target.OnFailure
)

// New is [adapter.New].
func NewAdapter(cfg AdapterConfig) (*Adapter, error) { return adapter.New(cfg) }

// What becomes of a device whose handler cannot take an event.
const (
	OnFailureClose = target.OnFailureClose
	OnFailureRetry = target.OnFailureRetry
	OnFailureHold  = target.OnFailureHold
)
