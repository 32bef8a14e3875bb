package messageid_test

import (
	"sync"
	"testing"

	"github.com/exgate/exgate/connectors/internal/messageid"
)

func TestIDsAreUnique(t *testing.T) {
	sources := []*messageid.Source{messageid.New(), messageid.New()}
	var seen sync.Map
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for range 1000 {
				if _, dup := seen.LoadOrStore(sources[i%2].Next(), true); dup {
					t.Error("the same id twice")
				}
			}
		})
	}
	wg.Wait()
}
