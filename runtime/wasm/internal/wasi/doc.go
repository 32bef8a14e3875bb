// Package wasi provides the part of WASI preview 1 that guests may use: clocks, random numbers, standard output and exit. Every other
// function links and answers that there is no such file.
//
// It imports package hostabi and wazero, and knows no engine: a [Guest] counts the calls, charges the bytes and takes what is printed. Calls run
// under the lock of the guest's instance; the package has no lock and keeps no state.
//
// Begin with [Provide] and the table of functions in wasi.go; their bodies are in calls.go.
package wasi
