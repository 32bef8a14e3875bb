// Package wasi provides the part of WASI preview 1 that guests may use: clocks, random numbers, standard output and
// exit. Every other function can be linked, and fails with "bad file descriptor".
//
// It imports package hostabi and wazero. A [Guest] counts the calls, charges the bytes and receives what is printed.
// Calls run under the lock of the guest's instance; the package has no lock and no state.
//
// Begin with [Provide] and the table of functions in wasi.go; their bodies are in calls.go.
package wasi
