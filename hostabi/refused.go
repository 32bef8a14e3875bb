package hostabi

import "fmt"

// RefusedError reports that a guest refused its configuration: exproto_v1_init did not return 0.
type RefusedError struct {
	Code int32
	Why  string // the last line that the guest logged as an error while it started. Optional.
}

func (e *RefusedError) Error() string {
	if e.Why != "" {
		return fmt.Sprintf("the guest refused its configuration: %s", e.Why)
	}
	return fmt.Sprintf("the guest refused its configuration: %s returned %d", ExportInit, e.Code)
}
