package target

import "time"

// Bounds of the ends of connections that wait for a handler, in every dialect.
const (
	MaxPendingCloses   = 10_000
	MaxPendingCloseAge = 5 * time.Minute
	CloseGrace         = 2 * time.Second // when the client is closed
)

// Why a farewell was given up.
const (
	UndeliveredFull     = "full"
	UndeliveredOld      = "old"
	UndeliveredRefused  = "refused"
	UndeliveredShutdown = "shutdown"
)
