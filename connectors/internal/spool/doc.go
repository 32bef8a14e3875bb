// Package spool keeps publishes of QoS 1 and 2 on disk while the broker cannot accept them, in one queue for each
// client id.
//
// One goroutine, the committer, takes all waiting records, writes them as one batch and syncs the disk once, so many
// devices share the cost. The files are a pebble database: acknowledged records survive SIGKILL and, if the disk honors
// syncs, a power failure. Memory is used per queue, not per record: see [Queue].
//
// It imports pebble and prometheus, and nothing of exgate. Begin with [Open] in spool.go, Append in queue.go and the
// committer in commit.go.
//
// Lock order: Spool.diskMu, Spool.mu.
package spool
