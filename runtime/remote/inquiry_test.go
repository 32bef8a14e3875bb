package remote_test

import (
	"testing"

	"github.com/exgate/exgate/runtime/remote"
)

func TestInquiryOfAnAdapter(t *testing.T) {
	_, adapter := serveAdapter(t, remote.AdapterConfig{})
	must(t, remote.Inquiry{Address: adapter}.Adapter(t.Context()))
	if err := (remote.Inquiry{
		Address: serveForm(t, remote.DialectUnary, new(script)),
	}).Adapter(t.Context()); err == nil {
		t.Error("a handler is taken for an adapter")
	}
}
