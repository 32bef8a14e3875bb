package access

import (
	"context"
	"log/slog"

	"github.com/exgate/exgate/internal/watch"
)

// Watch takes over what changes in the file until ctx ends: usually at once, and within about 5 s where there are no
// file notifications. A file that is broken or gone is logged once and leaves the last good one in force. A changed
// rule holds for sessions that are open; a user who is gone keeps theirs. Call it once. If log is nil, slog.Default().
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
			log.Error("auth file not reloaded, the last good one stays in force", "error", err)
			return
		}
		f.use(c)
		log.Info("auth file reloaded", "file", f.path, "users", len(c.users))
	})
}
