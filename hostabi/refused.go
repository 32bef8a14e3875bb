package hostabi

import "fmt"

// RefusedError reports that a guest refused its configuration: exproto_v1_init did not return 0.
type RefusedError struct{ Code int32 }

func (e *RefusedError) Error() string {
	return fmt.Sprintf("the guest refused its configuration: %s returned %d", ExportInit, e.Code)
}
