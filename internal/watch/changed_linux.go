package watch

import (
	"os"
	"syscall"
	"time"
)

// statusChanged returns the time of the last change of the file or its metadata, which programs cannot set.
func statusChanged(info os.FileInfo) time.Time {
	if s, ok := info.Sys().(*syscall.Stat_t); ok {
		return time.Unix(s.Ctim.Unix())
	}
	return info.ModTime()
}
