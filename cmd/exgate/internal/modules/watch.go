package modules

import (
	"context"
	"time"

	"github.com/exgate/exgate/internal/watch"
)

// watch looks at the folder whenever something may have changed, and returns after the last module has been loaded.
func (f *Folder) watch(ctx context.Context) {
	defer close(f.watched)
	watch.Folder(ctx, f.config.Path, watch.Options{Poll: f.config.times.poll, Logger: f.log}, func() time.Duration {
		return f.look(ctx, f.config.times.settle)
	})
	f.loading.Wait()
}
