// Package examplestest runs the example handlers of every language as processes of their own behind a real gateway, and
// plays the scenarios of runtime/handlertest with them in each dialect that they serve: an example in Python, Node or
// Java is equal, event by event, to the Go one.
//
// An example is a line in examples.go, and a test. Its program takes --listen host:port and --adapter host:port, prints
//
//	handler on 127.0.0.1:41234 calls the adapter at 127.0.0.1:9100
//
// when it serves, ends at SIGTERM with status 0, and prints no password ever. What it needs beside Go is prepared by
// proto/examples/setup.sh; where that was not run its test is skipped, and in CI fails.
package examplestest
