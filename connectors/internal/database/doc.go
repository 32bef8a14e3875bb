// Package database opens the pebble databases of the spool and of the devices' state: in a folder of their own, with
// little memory, and so that a disk that fails or is full ends nothing but the writes.
//
// A write that fails halts the database: it behaves as if the process had been killed at that moment, and its owner
// closes it and opens the files again, as after a crash. Opening needs space before it frees any, so a reserve without
// contents is kept in the folder, see [Folder.MakeReserve].
//
// It imports pebble and nothing of exgate. Begin with [Open].
package database
