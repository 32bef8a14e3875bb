//go:build !linux

package watch

import (
	"os"
	"time"
)

func statusChanged(info os.FileInfo) time.Time { return info.ModTime() }
