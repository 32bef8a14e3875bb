package capture

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"strconv"
)

// A line ends with a field that has the CRC-32C of what precedes it: ,"crc":"01234567"}
const (
	crcBegin  = `,"crc":"`
	crcEnd    = `"}`
	crcLength = len(crcBegin) + 8 + len(crcEnd)
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

var errChecksum = errors.New("checksum mismatch: the line was changed; remove crc to accept it")

// appendLine appends v as a line with its checksum.
func appendLine(b []byte, v any) ([]byte, error) {
	var buffer bytes.Buffer
	e := json.NewEncoder(&buffer)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return b, err
	}
	object := bytes.TrimSuffix(buffer.Bytes(), []byte("}\n"))
	b = append(b, object...)
	return fmt.Appendf(b, "%s%08x%s\n", crcBegin, crc32.Checksum(object, castagnoli), crcEnd), nil
}

// checkLine verifies the checksum of a line, if it has one.
func checkLine(text []byte) error {
	at := len(text) - crcLength
	if at < 0 || string(text[at:at+len(crcBegin)]) != crcBegin {
		return nil
	}
	want, err := strconv.ParseUint(string(text[at+len(crcBegin):len(text)-len(crcEnd)]), 16, 32)
	if err != nil || uint32(want) != crc32.Checksum(text[:at], castagnoli) {
		return errChecksum
	}
	return nil
}
