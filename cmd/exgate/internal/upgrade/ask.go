package upgrade

import (
	"context"
	"errors"
	"fmt"

	"github.com/exgate/exgate/cmd/exgate/internal/control"
)

// RequestName names the control request that upgrades a gateway.
const RequestName = "upgrade"

// Ask asks the gateway with process id pid to upgrade itself, and waits for the outcome. It calls progress with each
// step.
func Ask(ctx context.Context, pid int, progress func(string)) (string, error) {
	outcome, err := control.Ask(ctx, pid, RequestName, nil, control.Answers{Progress: progress})
	if errors.Is(err, errors.ErrUnsupported) {
		return "", fmt.Errorf("exgate upgrade needs Linux: here, run kill -USR2 %d and read the log of that process",
			pid)
	}
	if refused := (control.AnswerError{}); errors.As(err, &refused) {
		err = fmt.Errorf("upgrading process %d: %w", pid, err)
	}
	return outcome, err
}

// Handler passes requests on to the channel, whose reader answers them.
func Handler(requests chan<- *control.Request) control.Handler {
	return func(r *control.Request) {
		select {
		case requests <- r:
		case <-r.Context().Done():
			r.Failed(control.ErrStopping)
		}
	}
}
