// Package startimage keeps what an instance of a module is when it has started, so that others begin there and run no start of their own.
//
// An instance of a module that changes no table and has no passive segments is its memory and its mutable globals: see meter.Split, which
// finds out and exports the globals. [Capture] copies both. On Linux the memory becomes a memory file that clones map copy-on-write, so that they
// share the pages that they do not change; elsewhere each clone copies it.
//
// What the first instance drew at its start (the seeds of its random numbers, of its hash maps) is the same in all clones.
package startimage
