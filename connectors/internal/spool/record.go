package spool

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"
)

// Record is a publish.
type Record struct {
	Topic      string
	Payload    []byte
	QoS        byte   // 1 or 2
	Properties []byte // the properties of the PUBLISH as the caller encodes them; may be empty
	// At is when it was published, with a precision of a microsecond. If zero, Append sets it to the current time.
	At time.Time
}

// A value consists of: layout (1 byte), QoS (1), At in microseconds since 1970 (8, big endian), the lengths of the
// topic and of the properties as uvarints, topic, properties, payload. pebble verifies checksums.
const (
	layout      = 1
	valueHeader = 1 + 1 + 8
)

var errRecord = errors.New("invalid record")

func (r Record) check() error {
	if r.QoS != 1 && r.QoS != 2 {
		return fmt.Errorf("spooling a publish to %q: QoS must be 1 or 2, not %d", r.Topic, r.QoS)
	}
	return nil
}

func (r Record) encode() []byte {
	b := make([]byte, 0, valueHeader+2*binary.MaxVarintLen32+len(r.Topic)+len(r.Properties)+len(r.Payload))
	b = append(b, layout, r.QoS)
	b = binary.BigEndian.AppendUint64(b, uint64(r.At.UnixMicro()))
	b = binary.AppendUvarint(b, uint64(len(r.Topic)))
	b = binary.AppendUvarint(b, uint64(len(r.Properties)))
	b = append(b, r.Topic...)
	b = append(b, r.Properties...)
	return append(b, r.Payload...)
}

// decode copies what it needs from b.
func decode(b []byte) (Record, error) {
	at, err := decodeAt(b)
	if err != nil {
		return Record{}, err
	}
	topic, rest := cutUvarint(b[valueHeader:])
	properties, rest := cutUvarint(rest)
	n := uint64(len(rest))
	if rest == nil || topic > n || properties > n-topic {
		return Record{}, errRecord
	}
	r := Record{Topic: string(rest[:topic]), QoS: b[1], At: at}
	body := append([]byte(nil), rest[topic:]...)
	if properties > 0 {
		r.Properties = body[:properties:properties]
	}
	r.Payload = body[properties:]
	return r, nil
}

// decodeAt reads only the header.
func decodeAt(b []byte) (time.Time, error) {
	if len(b) < valueHeader || b[0] != layout || (b[1] != 1 && b[1] != 2) {
		return time.Time{}, errRecord
	}
	return time.UnixMicro(int64(binary.BigEndian.Uint64(b[2:]))), nil
}

// cutUvarint returns a nil rest if b does not begin with a uvarint.
func cutUvarint(b []byte) (v uint64, rest []byte) {
	v, n := binary.Uvarint(b)
	if n <= 0 {
		return 0, nil
	}
	return v, b[n:]
}
