// Package doctor checks everything that a configuration refers to and reports on each item in one sentence: it works,
// or which setting to change. It changes nothing: it closes the sockets that it opens at once, sends no event to
// handlers, and connects to the broker as one client that disconnects again.
//
// Begin reading with doctor.go, which runs the checks concurrently; each other file holds the checks of one kind of
// item. It may import config, service and the packages whose servers it contacts. It has no locks.
package doctor
