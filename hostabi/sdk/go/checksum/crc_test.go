package checksum_test

import (
	"hash/crc32"
	"testing"

	"github.com/exgate/exgate/hostabi/sdk/go/checksum"
)

// The check values of all are among hostabi/sdk/vectors.

func FuzzCRC32(f *testing.F) {
	f.Add([]byte("123456789"), uint8(4))
	castagnoli := crc32.MakeTable(crc32.Castagnoli)
	f.Fuzz(func(t *testing.T, b []byte, cut uint8) {
		at := int(cut) % (len(b) + 1)
		c := checksum.CRC32ISOHDLC
		if got, want := c.Update(c.Sum(b[:at]), b[at:]), crc32.ChecksumIEEE(b); got != want {
			t.Errorf("%x: %x, want %x", b, got, want)
		}
		if got, want := checksum.CRC32ISCSI.Sum(b), crc32.Checksum(b, castagnoli); got != want {
			t.Errorf("%x: %x, want %x", b, got, want)
		}
	})
}

// A frame followed by its reflected CRC has the CRC 0 if nothing is combined with it at the end.
func TestAFrameWithItsCRC(t *testing.T) {
	frame := []byte{0x11, 0x03, 0x00, 0x6b, 0x00, 0x03}
	sum := checksum.CRC16Modbus.Sum(frame)
	if frame = append(frame, byte(sum), byte(sum>>8)); checksum.CRC16Modbus.Sum(frame) != 0 {
		t.Errorf("%x", frame)
	}
	if sum := append(frame, checksum.LRC(frame)); checksum.Sum8(sum) != 0 {
		t.Errorf("%x", sum)
	}
}
