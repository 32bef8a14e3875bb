package access

import (
	"context"
	"log/slog"

	"github.com/exgate/exgate/internal/watch"
)

// Watch reloads the file whenever it changes, until ctx ends: usually at once, or within about 5 s without file
// notifications. If the file is broken or missing, it logs that once and keeps the last good content. Changed rules
// apply to open sessions; the sessions of a removed user continue. Call it once. If log is nil, slog.Default().
func (f *File) Watch(ctx context.Context, log *slog.Logger) {
	if log == nil {
		log = slog.Default()
	}
	f.files.Watch(ctx, watch.Options{Logger: log.With("file", f.path)}, func(texts [][]byte, err error) {
		var c *content
		if err == nil {
			c, err = parseFile(f.path, texts[0])
		}
		if err != nil {
			log.Error("cannot reload the auth file; keeping the last good one", "error", err)
			return
		}
		f.use(c)
		log.Info("auth file reloaded", "file", f.path, "users", len(c.users))
	})
}
