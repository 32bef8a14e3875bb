// Package meter parses an untrusted WebAssembly module and rewrites it so that its work is counted. It imports none of
// ours and has no lock. Begin reading at rewrite.go.
//
// [Rewrite] stands between a file from anybody and the compiler. It parses the whole binary within limits of its own
// (it accepts a count only if the file is long enough for what it counts), rejects what it does not know, and emits a
// module that differs from the original in this:
//
//   - Two mutable globals are added: the remaining fuel ([FuelGlobal]) and whether a memory.grow or table.grow was
//     refused ([RefusedGlobal]). Their export names are not available to the module, and its instructions cannot refer
//     to them.
//   - Each function entry and each loop iteration takes fuel. The module traps if the fuel is below zero.
//   - Instructions whose work depends on an operand take fuel according to it.
//   - Tables have a maximum.
//   - The start function is exported ([StartFunction]) instead of started.
//   - Custom sections are removed. If the host asks for it, the function names stay, or the module gets debug
//     information with which stack traces say offsets (offsets.go).
//
// # What is charged
//
//	function entry, loop iteration   1 unit, and 1 more for each 256 instructions that run with it; slow
//	                                 instructions count as several
//	memory.fill, copy, init          1 unit, and 1 for each 64 bytes of the length
//	table.fill, copy, init, grow     1 unit, and 1 for each 8 elements of the length
//	memory.grow                      1,024 units for each added page
//
// One unit is about a nanosecond of work in compiled code, and is bounded for hostile code. Lengths have 32 bits and
// are added as 64 bits, so they cannot overflow.
package meter
