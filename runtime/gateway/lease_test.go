package gateway_test

import (
	"testing"
	"testing/synctest"

	"github.com/exgate/exgate/runtime/gateway"
)

// A lent handler is not closed until it is given back.
func TestLentHandler(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newFixture(t, gateway.Limits{}, "")
		lent, err := w.gw.Lend("h")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.gw.Lend("other"); err == nil || err.Error() != `no handler is named "other"` {
			t.Error(err)
		}
		w.stop(t)
		select {
		case <-w.h.freed:
			t.Error("freed while it is lent")
		default:
		}
		if err := lent.Close(t.Context()); err != nil {
			t.Error(err)
		}
		<-w.h.freed
		if _, err := w.gw.Lend("h"); err == nil {
			t.Error("lent what is closed")
		}
	})
}

// aside is a handler that wraps another one.
type aside struct {
	gateway.ConnectionHandler
	journal *journal
}

func (a aside) OnReceivedBytes(b []byte) error {
	a.journal.add("aside %s", b)
	return a.ConnectionHandler.OnReceivedBytes(b)
}

func TestHandlersOfAListener(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newFixture(t, gateway.Limits{}, "")
		var seen journal
		other := newTestListener()
		err := w.gw.AddListener("other", other, gateway.ListenerConfig{
			Handler: "h", Connector: "c",
			NewHandler: func(f gateway.HandlerFactory, conn gateway.ConnectionAdapter) (gateway.ConnectionHandler,
				error,
			) {
				h, err := f.NewHandler(conn)
				return aside{h, &seen}, err
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		plain, beside := newSocket(-1), newSocket(-1)
		w.lis.open(t, plain)
		other.open(t, beside)
		plain.in <- []byte("p")
		beside.in <- []byte("b")
		synctest.Wait()
		equal(t, "beside", seen.String(), "aside b")
		w.stop(t)
	})
}
