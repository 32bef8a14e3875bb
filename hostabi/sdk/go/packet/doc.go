// Package packet reads and writes the fields of frames: numbers of both byte orders, BCD, bits and bytes.
//
// A [Reader] never reads beyond its frame, and a [Writer] never grows beyond its maximum. Both keep a fault until the
// end, so that a protocol checks once, after the last field.
package packet
