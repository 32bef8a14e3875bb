// Package stack reads the stack traces of guests: which functions were running when a call of a guest ended early, and
// where in the source they were.
//
// wazero's traces are text. The engine loads modules without their function names and without their debug information,
// so that no text of a guest is in a trace: it has indices of functions and, where the module has debug information,
// offsets in the code section. [Symbols] looks both up in the module's file, after the first fault. Everything in the
// file is hostile: it is read within limits, and names are quoted where they are not plain.
//
// Begin with [Symbols.Frames] in symbols.go; trace.go reads the text, names.go the names, lines.go the line tables.
package stack
