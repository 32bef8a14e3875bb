// Package examplestest runs the example handlers of every language as separate processes behind a real gateway, and
// runs the scenarios of runtime/handlertest with them in each dialect that they serve: an example in Python, Node or
// Java must behave like the Go one, event by event.
//
// An example is an entry in examples.go, and a test. Its program takes --listen host:port and --adapter host:port,
// prints
//
//	handler on 127.0.0.1:41234 calls the adapter at 127.0.0.1:9100
//
// when it is ready, exits with status 0 after SIGTERM, and never prints a password. proto/examples/setup.sh installs
// what it needs besides Go; without that its test is skipped, and fails in CI.
package examplestest
