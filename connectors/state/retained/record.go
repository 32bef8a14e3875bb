package retained

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"strings"

	"github.com/exgate/exgate/runtime/gateway"
)

// record is a retained message: a version byte, the generation and the owner, 8 bytes each, and the value.
type record struct {
	generation, owner uint64
	value             []byte
}

const (
	recordVersion = 1
	recordHead    = 1 + 8 + 8
)

func (r record) encode() []byte {
	b := append(make([]byte, 0, recordHead+len(r.value)), recordVersion)
	b = binary.BigEndian.AppendUint64(b, r.generation)
	b = binary.BigEndian.AppendUint64(b, r.owner)
	return append(b, r.value...)
}

// parse reads a record. It reports false for anything else, such as the message of another program.
func parse(b []byte) (r record, ok bool) {
	if len(b) < recordHead || b[0] != recordVersion {
		return r, false
	}
	return record{binary.BigEndian.Uint64(b[1:]), binary.BigEndian.Uint64(b[9:]), b[recordHead:]}, true
}

// before reports whether r was written by an owner before o. Owners that logged in at the same time are ordered by
// their numbers.
func (r record) before(o record) bool {
	return r.generation < o.generation || r.generation == o.generation && r.owner < o.owner
}

// topicOf returns the topic of a device below the configured one. Names of any contents become two plain levels.
func topicOf(below string, key gateway.StateKey) string {
	return below + "/" + level(key.Owner) + "/" + level(key.ClientID)
}

// longestLevel bounds an encoded name; longer ones are hashed.
const longestLevel = 200

// level encodes a name as one level of a topic. Letters, digits, - and _ are kept, all other bytes become %XX. No two
// names have the same level, unless their hashes are the same.
func level(name string) string {
	var b strings.Builder
	for i := range len(name) {
		if c := name[i]; c == '-' || c == '_' || c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' {
			b.WriteByte(c)
		} else {
			b.WriteByte('%')
			b.WriteString(strings.ToUpper(hex.EncodeToString([]byte{c})))
		}
		if b.Len() > longestLevel {
			sum := sha256.Sum256([]byte(name))
			return "%%" + hex.EncodeToString(sum[:])
		}
	}
	if name == "" {
		return "%"
	}
	return b.String()
}
