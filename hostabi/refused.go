package hostabi

import "fmt"

// RefusedError says that a guest did not take its configuration: exproto_v1_init returned another number than 0.
type RefusedError struct{ Code int32 }

func (e *RefusedError) Error() string {
	return fmt.Sprintf("the guest refuses its configuration: %s returned %d", ExportInit, e.Code)
}
