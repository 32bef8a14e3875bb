// Package guard limits the cost of callers' HTTP/2 connections before the gRPC server has a call to refuse: how
// many there are, how many calls they have begun, and the size of incomplete messages. At a limit, the connection with
// the greatest share is closed; connections that never proved to be a handler's are closed first.
//
// Begin reading at guard.go. Its one lock, Guard.mu, guards all accounts. The package imports none of ours.
package guard
