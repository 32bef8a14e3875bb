package state

import (
	"errors"

	"github.com/exgate/exgate/connectors/internal/database"
)

// openFiles opens existing files, or creates a database. If the disk cannot be written to, it opens existing files
// read-only, so that devices get their state.
func (s *Store) openFiles() error {
	err := s.openToWrite()
	failure := (*database.WriteError)(nil)
	if !errors.As(err, &failure) {
		return err
	}
	if s.openToRead() != nil {
		return err
	}
	s.noteBroken(err)
	return nil
}

// openToWrite opens the files. The caller holds diskMu, or is the only one to use the store.
func (s *Store) openToWrite() error {
	s.folder.ReleaseReserve()
	db, err := database.Open(s.folder, s.lock, false)
	if err != nil {
		return err
	}
	t, err := load(db)
	if err != nil {
		return errors.Join(err, db.Close())
	}
	s.disk = db
	s.setTotals(t)
	if err := s.folder.MakeReserve(); err != nil {
		s.cfg.Logger.Warn("not enough space for the reserve of the devices' states; free space on the disk",
			"folder", s.cfg.Folder, "error", err)
	}
	return nil
}

func load(db *database.DB) (t totals, err error) {
	if err := db.Sign(formatKey, formatMark, errForeign); err != nil {
		if failure := db.Failure(); failure != nil {
			return t, &database.WriteError{Err: failure}
		}
		return t, err
	}
	value, err := get(db, string(totalsKey))
	if err != nil || value == nil {
		return t, err
	}
	return parseTotals(value)
}

func (s *Store) openToRead() error {
	db, err := database.Open(s.folder, s.lock, true)
	if err != nil {
		s.cfg.Logger.Debug("the state of devices cannot be read either", "folder", s.cfg.Folder, "error", err)
		return err
	}
	s.disk = db
	return nil
}

// breakDown refuses saves until repair succeeds, and reopens the files read-only meanwhile.
func (s *Store) breakDown(err error) {
	s.noteBroken(err)
	s.diskMu.Lock()
	defer s.diskMu.Unlock()
	s.closeDisk()
	_ = s.openToRead() // logged
}

// closeDisk ignores the error, which is already known or comes from a read-only database.
func (s *Store) closeDisk() {
	if s.disk != nil {
		_ = s.disk.Close()
		s.disk = nil
	}
}

// noteBroken logs once that the disk cannot be written to.
func (s *Store) noteBroken(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.broken != nil {
		return
	}
	s.broken = err
	s.cfg.Metrics.failures.Inc()
	s.cfg.Metrics.broken.Set(1)
	s.cfg.Logger.Error("the state of devices cannot be written; refusing to save it until it can",
		"folder", s.cfg.Folder, "error", err,
		"advice", "free space on the disk, or let the gateway write to the folder")
}

// repair makes the store writable again after a disk error. It reopens the files, as after a crash.
func (s *Store) repair() {
	s.mu.Lock()
	broken := s.broken
	s.mu.Unlock()
	if broken == nil || !s.folder.HasRoomToOpen() {
		return
	}
	s.diskMu.Lock()
	defer s.diskMu.Unlock()
	s.closeDisk()
	if err := s.openToWrite(); err != nil {
		s.cfg.Logger.Debug("the disk of the devices' states still fails", "folder", s.cfg.Folder, "error", err)
		_ = s.openToRead() // logged
		return
	}
	s.mu.Lock()
	s.broken = nil
	s.mu.Unlock()
	s.cfg.Metrics.broken.Set(0)
	s.cfg.Logger.Info("the state of devices can be written again", "folder", s.cfg.Folder)
}
