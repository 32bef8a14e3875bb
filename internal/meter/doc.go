// Package meter reads an untrusted WebAssembly module and rewrites it so that its work is counted.
//
// [Rewrite] is what stands between a file from anybody and the compiler. It reads the whole binary with bounds of its
// own (a count is believed only where the file is long enough to hold what it counts), refuses what it does not know,
// and puts out a module that differs from the given one in this:
//
//   - Two mutable globals follow those of the module: the fuel that is left ([FuelGlobal]) and whether a memory.grow was refused
//     ([RefusedGlobal]). They are exported under names that the module may not use, and no instruction of the module can name them.
//   - Each function entry and each loop iteration takes fuel. Where the fuel is below zero, the module traps.
//   - Instructions whose work depends on an operand take fuel by that operand.
//   - Tables have a maximum.
//   - The start function is exported ([StartFunction]) instead of started.
//   - Custom sections are gone, but for the names of functions, which stack traces show.
//
// # What is charged
//
//	function entry, loop iteration   1 unit, and 1 more for each 256 instructions that run with it; slow instructions count as several
//	memory.fill, copy, init          1 unit, and 1 for each 64 bytes of the length
//	table.fill, copy, init, grow     1 unit, and 1 for each 8 elements of the length
//	memory.grow                      1,024 units for each page that it added
//
// So a unit stands for about a nanosecond of work in what compilers put out, and is bounded in what an attacker does.
// Lengths are 32 bit and added as 64 bit: they cannot overflow.
package meter
