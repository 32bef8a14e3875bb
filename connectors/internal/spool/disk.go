package spool

import (
	"github.com/cockroachdb/pebble/v2"

	"github.com/exgate/exgate/connectors/internal/database"
)

// disk is the database in the folder.
type disk struct{ *database.DB }

// openDisk opens or creates the database.
func openDisk(folder database.Folder, lock *pebble.Lock) (*disk, error) {
	return wrap(database.Open(folder, lock, false))
}

// openToRead opens the database without writing anything, so that it works on a full disk.
func openToRead(folder database.Folder, lock *pebble.Lock) (*disk, error) {
	return wrap(database.Open(folder, lock, true))
}

func wrap(db *database.DB, err error) (*disk, error) {
	if err != nil {
		return nil, err
	}
	return &disk{db}, nil
}

// eachRecord visits the records of one queue in order, starting at from.
func (d *disk) eachRecord(from place, visit func(at place, value []byte) bool) error {
	end := place{number: from.number + 1}
	return d.Each(from.key(), end.key(), func(key, value []byte) (bool, error) {
		at, err := parseRecordKey(key)
		if err != nil {
			return false, err
		}
		return visit(at, value), nil
	})
}
