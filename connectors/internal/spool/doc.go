// Package spool keeps publishes of QoS 1 and 2 on disk while the broker cannot take them, in one queue for each client
// id.
//
// One goroutine, the committer, takes all that waits, writes it as one batch and syncs the disk once for it, so many
// devices share the cost. The files are a pebble database: what was acknowledged outlives SIGKILL and, as far as the
// disk keeps its word, a power cut. Memory is taken for a queue and not for a record: see [Queue].
package spool
