// Package vectors proves that the SDKs of all languages have equal results: vectors.json has operations and their
// outcomes, which each SDK's tests run through an interpreter written in its language. [Run] is the one of the Go SDK,
// with which fuzz tests compare others.
//
// An operation is a line of words. Bytes are hexadecimal digits, - is none.
//
//	crc NAME BYTES                  a checksum of package checksum
//	crc2 NAME BYTES BYTES           the same in two parts
//	read BYTES FIELD...             a packet.Reader: u8 i16le f32 bcd:3 bcdle:3 bits:5 bytes:2 skip:1 rest fail;
//	                                then ok, done or bad, and the number of bytes that are left
//	write MAX FIELD=VALUE...        a packet.Writer: u16=513 bcd:3=120 bytes=00ff f32=3f800000
//	civil SECONDS OFFSET            from seconds to text
//	unix YEAR MONTH DAY HOUR MINUTE SECOND OFFSET
//	bcdtime BYTES                   to text, and back to BCD
//	json MAX CALL...                a jsontext.Writer: { } [ ] k:BYTES t:BYTES i:-1 u:1 d:215:1 f:BITS:2 b:1 n;
//	                                the text in hexadecimal digits, or bad
//	gbk BYTES                       from GBK
//	togbk BYTES                     from UTF-8
//	ft12 BYTES,BYTES...             the pieces of a stream of IEC 60870-5 FT 1.2 frames, by framing.Custom
//	frames STEP,STEP...             the frames of a connection, see [Run]
package vectors
