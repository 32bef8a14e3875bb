package exproto

var served Protocol

// Serve sets the protocol of this module. Call it in an init function: main does not run in a module built with
// -buildmode=c-shared.
func Serve(p Protocol) { served = p }

// Served returns the protocol passed to [Serve], for tests of a module's main package.
func Served() Protocol { return served }
