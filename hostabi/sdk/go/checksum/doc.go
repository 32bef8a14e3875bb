// Package checksum has the checksums of device protocols: CRCs of 8, 16 and 32 bits, sums and exclusive ors.
//
// The CRCs are named as in the [catalogue] of Greg Cook, which has their parameters and the check value of each: the
// CRC of the text "123456789". Their tables are built at first use, so that a module contains only the CRCs that it
// calls.
//
// [catalogue]: https://reveng.sourceforge.io/crc-catalogue/
package checksum
