package doctor

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// spool says whether the folder of the spool can be written to, or made.
func (c *checkup) spool(context.Context) []Finding {
	const key = "upstream.spool.folder"
	folder := c.cfg.Upstream.Spool.Folder
	if folder == "" {
		return nil
	}
	there := existing(folder)
	if err := unix.Access(there, unix.W_OK|unix.X_OK); err != nil {
		return []Finding{c.problem(key, "%s cannot be written to (%v): allow the gateway's user to, or name another folder", there, err)}
	}
	if there != filepath.Clean(folder) {
		return []Finding{c.well(key, "%s can be made", folder)}
	}
	return []Finding{c.well(key, "%s can be written to", folder)}
}

// existing is the folder, or the nearest one around it that is there.
func existing(folder string) string {
	folder = filepath.Clean(folder)
	for {
		_, err := os.Stat(folder)
		above := filepath.Dir(folder)
		if !errors.Is(err, fs.ErrNotExist) || above == folder {
			return folder
		}
		folder = above
	}
}
