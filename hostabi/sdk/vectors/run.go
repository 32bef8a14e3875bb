package vectors

import (
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/exgate/exgate/hostabi/sdk/go/checksum"
	"github.com/exgate/exgate/hostabi/sdk/go/civil"
	"github.com/exgate/exgate/hostabi/sdk/go/framing"
	"github.com/exgate/exgate/hostabi/sdk/go/gbk"
)

// Run returns the outcome of an operation, other than frames, in the Go SDK.
func Run(op string) string {
	name, rest, _ := strings.Cut(op, " ")
	args := strings.Fields(rest)
	switch name {
	case "crc":
		return crc(args[0], unhex(args[1]))
	case "crc2":
		return crc(args[0], unhex(args[1]), unhex(args[2]))
	case "read":
		return read(unhex(args[0]), args[1:])
	case "write":
		return write(number(args[0]), args[1:])
	case "civil":
		return civilText(int64(number(args[0])), number(args[1]))
	case "unix":
		return unix(args)
	case "bcdtime":
		t, ok := civil.FromBCD(unhex(args[0]))
		if !ok {
			return "invalid"
		}
		return string(t.AppendText(nil, 0)) + " " + digits(t.AppendBCD(nil))
	case "json":
		return writeJSON(number(args[0]), args[1:])
	case "gbk":
		return digits(gbk.Append(nil, unhex(args[0])))
	case "togbk":
		b, ok := gbk.AppendGBK(nil, string(unhex(args[0])))
		return fmt.Sprintf("%s %v", digits(b), ok)
	case "ft12":
		return ft12(strings.Split(args[0], ","))
	}
	panic("vectors: unknown operation " + op)
}

// unhex parses hexadecimal digits, or - for none.
func unhex(s string) []byte {
	b, err := hex.DecodeString(strings.TrimPrefix(s, "-"))
	if err != nil {
		panic(err)
	}
	return b
}

func digits(b []byte) string {
	if len(b) == 0 {
		return "-"
	}
	return hex.EncodeToString(b)
}

func number(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil {
		panic(err)
	}
	return n
}

func sum[W checksum.Word](c *checksum.CRC[W], width int, parts [][]byte) string {
	s := c.Sum(nil)
	for _, b := range parts {
		s = c.Update(s, b)
	}
	if len(parts) == 1 && c.Sum(parts[0]) != s {
		return "Sum and Update differ"
	}
	return fmt.Sprintf("%0*x", width/4, s)
}

var crc8s = map[string]*checksum.CRC[uint8]{
	"crc8_maxim_dow": checksum.CRC8MaximDow, "crc8_rohc": checksum.CRC8ROHC,
	"crc8_sae_j1850": checksum.CRC8SAEJ1850, "crc8_smbus": checksum.CRC8SMBus,
}

var crc16s = map[string]*checksum.CRC[uint16]{
	"crc16_arc": checksum.CRC16ARC, "crc16_ccitt_false": checksum.CRC16CCITTFalse, "crc16_dnp": checksum.CRC16DNP,
	"crc16_en13757": checksum.CRC16EN13757, "crc16_genibus": checksum.CRC16Genibus,
	"crc16_kermit": checksum.CRC16Kermit, "crc16_maxim_dow": checksum.CRC16MaximDow,
	"crc16_mcrf4xx": checksum.CRC16MCRF4XX, "crc16_modbus": checksum.CRC16Modbus, "crc16_umts": checksum.CRC16UMTS,
	"crc16_usb": checksum.CRC16USB, "crc16_x25": checksum.CRC16X25, "crc16_xmodem": checksum.CRC16XModem,
}

var crc32s = map[string]*checksum.CRC[uint32]{
	"crc32_bzip2": checksum.CRC32Bzip2, "crc32_iscsi": checksum.CRC32ISCSI,
	"crc32_iso_hdlc": checksum.CRC32ISOHDLC, "crc32_mpeg2": checksum.CRC32MPEG2,
}

// Checksums returns the names of the checksums: those of CRCs, then the others.
func Checksums() []string {
	var names []string
	for name := range crc8s {
		names = append(names, name)
	}
	for name := range crc16s {
		names = append(names, name)
	}
	for name := range crc32s {
		names = append(names, name)
	}
	slices.Sort(names)
	return append(names, "lrc", "sum16", "sum8", "xor")
}

func crc(name string, parts ...[]byte) string {
	if c, ok := crc8s[name]; ok {
		return sum(c, 8, parts)
	}
	if c, ok := crc16s[name]; ok {
		return sum(c, 16, parts)
	}
	if c, ok := crc32s[name]; ok {
		return sum(c, 32, parts)
	}
	switch name {
	case "lrc":
		return fmt.Sprintf("%02x", checksum.LRC(parts[0]))
	case "sum8":
		return fmt.Sprintf("%02x", checksum.Sum8(parts[0]))
	case "sum16":
		return fmt.Sprintf("%04x", checksum.Sum16(parts[0]))
	case "xor":
		return fmt.Sprintf("%02x", checksum.Xor(parts[0]))
	}
	panic("vectors: no checksum " + name)
}

func civilText(seconds int64, offset int) string {
	t, ok := civil.FromUnix(seconds, offset)
	if !ok {
		return "invalid"
	}
	return string(t.AppendText(nil, offset))
}

func unix(args []string) string {
	var v [7]int
	for i, a := range args {
		v[i] = number(a)
	}
	t := civil.Time{Year: v[0], Month: v[1], Day: v[2], Hour: v[3], Minute: v[4], Second: v[5]}
	seconds, ok := t.Unix(v[6])
	if !ok {
		return "invalid"
	}
	return strconv.FormatInt(seconds, 10)
}

// measureFT12 measures frames of IEC 60870-5 FT 1.2, which M-Bus meters speak: e5; 10 and 4 bytes; 68 L L 68, L bytes,
// and 2.
func measureFT12(b []byte) int {
	switch {
	case b[0] == 0xe5:
		return 1
	case b[0] == 0x10:
		return 5
	case b[0] != 0x68:
		return -1
	case len(b) < 4:
		return 0
	case b[1] != b[2] || b[3] != 0x68:
		return -1
	}
	return int(b[1]) + 6
}

// FT12 is the rule of the operation ft12.
var FT12 = framing.Custom{Measure: measureFT12, Max: 32}

func ft12(pieces []string) string {
	frames, err := framing.New(FT12)
	if err != nil {
		panic(err)
	}
	framer := frames.Framer()
	var all []string
	for _, piece := range pieces {
		b := unhex(piece)
		for frame, err := range framer.Frames(&b) {
			switch {
			case errors.Is(err, framing.ErrTooLong):
				all = append(all, "too_long")
			case err != nil:
				all = append(all, "broken")
			default:
				all = append(all, hex.EncodeToString(frame))
			}
		}
	}
	return strings.Join(append(all, "held="+strconv.Itoa(framer.Held())), " ")
}
