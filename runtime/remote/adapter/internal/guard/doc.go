// Package guard bounds what the HTTP/2 connections of callers cost, before the gRPC server has a call to refuse: how many there are, how many calls
// they have begun, and how much of messages that are not complete. Where a bound is reached, the connection that has most of it is closed, and
// among all the ones that never showed that they are a handler's come first.
package guard
