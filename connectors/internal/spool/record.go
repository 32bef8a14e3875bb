package spool

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"time"
)

// Record is a publish.
type Record struct {
	Topic      string
	Payload    []byte
	QoS        byte   // 1 or 2
	Properties []byte // the properties of the PUBLISH as the caller encodes them; may be empty
	Retain     bool
	Expiry     uint32 // the message's own, in seconds after At; 0: none
	// At is when it was published, with a precision of a microsecond. If zero, Append sets it to the current time.
	At time.Time
}

// A value consists of: layout (1 byte), QoS (1), At in microseconds since 1970 (8, big endian), the lengths of the
// topic and of the properties as uvarints, topic, properties, payload. pebble verifies checksums. Layout 2 is for
// records with Retain or Expiry: the byte of the QoS also has flagRetain, and Expiry follows At as a uvarint. Records
// without them have layout 1, so that an earlier version reads them after a downgrade.
const (
	layout         = 1
	layoutExtended = 2
	valueHeader    = 1 + 1 + 8
	flagRetain     = 0x80
)

var errRecord = errors.New("invalid record")

func (r Record) check() error {
	if r.QoS != 1 && r.QoS != 2 {
		return fmt.Errorf("spooling a publish to %q: QoS must be 1 or 2, not %d", r.Topic, r.QoS)
	}
	return nil
}

func (r Record) encode() []byte {
	b := make([]byte, 0, valueHeader+3*binary.MaxVarintLen32+len(r.Topic)+len(r.Properties)+len(r.Payload))
	extended := r.Retain || r.Expiry > 0
	b = append(b, layout, r.QoS)
	b = binary.BigEndian.AppendUint64(b, uint64(r.At.UnixMicro()))
	if extended {
		b[0] = layoutExtended
		if r.Retain {
			b[1] |= flagRetain
		}
		b = binary.AppendUvarint(b, uint64(r.Expiry))
	}
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
	var expiry uint64
	rest := b[valueHeader:]
	if b[0] == layoutExtended {
		expiry, rest = cutUvarint(rest)
	}
	topic, rest := cutUvarint(rest)
	properties, rest := cutUvarint(rest)
	n := uint64(len(rest))
	if rest == nil || topic > n || properties > n-topic || expiry > math.MaxUint32 {
		return Record{}, errRecord
	}
	r := Record{
		Topic: string(rest[:topic]), QoS: b[1] &^ flagRetain, At: at, Retain: b[1]&flagRetain != 0,
		Expiry: uint32(expiry),
	}
	body := append([]byte(nil), rest[topic:]...)
	if properties > 0 {
		r.Properties = body[:properties:properties]
	}
	r.Payload = body[properties:]
	return r, nil
}

// decodeAt reads only the header.
func decodeAt(b []byte) (time.Time, error) {
	if len(b) < valueHeader {
		return time.Time{}, errRecord
	}
	qos := b[1]
	switch b[0] {
	case layout:
	case layoutExtended:
		qos &^= flagRetain
	default:
		return time.Time{}, errRecord
	}
	if qos != 1 && qos != 2 {
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
