// Package startimage captures an instance of a module that has started, so that others can be cloned from it without
// running the module's start.
//
// An instance of a module that changes no table and has no passive segments is its memory and its mutable globals; see
// meter.Split, which checks that and exports the globals. [Capture] copies both. On Linux the memory becomes a memory
// file that clones map copy-on-write, so that they share the pages that they do not change; elsewhere each clone copies
// it. What the first instance drew while it started (the seeds of its random numbers and hash maps) is the same in all
// clones.
//
// The package imports none of ours and has no lock. Begin with [Capture] and [Image.Clone] in image.go; source_linux.go
// has the memory file.
package startimage
