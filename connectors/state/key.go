package state

import (
	"encoding/binary"
	"errors"

	"github.com/exgate/exgate/runtime/gateway"
)

// The keys of the database:
//
//	"f"                               formatMark
//	"s" length(owner) owner clientid  a value
//	"t"                               the totals of all values
//
// The length is a uvarint, so that no owner and client id can form the key of others.
const valuePrefix = 's'

var (
	formatKey  = []byte{'f'}
	formatMark = []byte("exgate state 1")
	totalsKey  = []byte{'t'}

	errForeign = errors.New("it contains another program's database; choose a folder for the state alone")
	errTotals  = errors.New("the totals are damaged")
)

func keyOf(k gateway.StateKey) string {
	b := append(make([]byte, 0, 4+len(k.Owner)+len(k.ClientID)), valuePrefix)
	b = binary.AppendUvarint(b, uint64(len(k.Owner)))
	b = append(b, k.Owner...)
	return string(append(b, k.ClientID...))
}

// overhead is what a value counts in addition to its key and its bytes.
const overhead = 64

func sizeOf(key string, value int) int64 {
	if value == 0 {
		return 0
	}
	return int64(len(key) + value + overhead)
}

// totals counts all values.
type totals struct{ values, bytes int64 }

func (t totals) encode() []byte {
	b := binary.BigEndian.AppendUint64(nil, uint64(t.values))
	return binary.BigEndian.AppendUint64(b, uint64(t.bytes))
}

func parseTotals(b []byte) (t totals, err error) {
	if len(b) != 16 {
		return t, errTotals
	}
	t.values, t.bytes = int64(binary.BigEndian.Uint64(b)), int64(binary.BigEndian.Uint64(b[8:]))
	if t.values < 0 || t.bytes < 0 {
		return t, errTotals
	}
	return t, nil
}
