package spool

import (
	"encoding/binary"
	"errors"
)

// The keys of the database, in their order:
//
//	"c" number            client id of the queue with this number
//	"f"                   formatMark
//	"r" number sequence   record
//
// Numbers and sequence numbers are 8 bytes, big endian. A client id may be any text of up to 65535 bytes, so it is
// stored once per queue and never in a key.
const (
	clientPrefix = 'c'
	recordPrefix = 'r'

	clientKeyLen = 1 + 8
	recordKeyLen = 1 + 8 + 8
)

var (
	formatKey  = []byte{'f'}
	formatMark = []byte("exgate spool 1")

	errKey = errors.New("invalid key")
)

// place identifies a record.
type place struct{ number, sequence uint64 }

func clientKey(number uint64) []byte {
	return binary.BigEndian.AppendUint64([]byte{clientPrefix}, number)
}

func (p place) key() []byte {
	b := append(make([]byte, 0, recordKeyLen), recordPrefix)
	b = binary.BigEndian.AppendUint64(b, p.number)
	return binary.BigEndian.AppendUint64(b, p.sequence)
}

func parseClientKey(key []byte) (number uint64, err error) {
	if len(key) != clientKeyLen || key[0] != clientPrefix {
		return 0, errKey
	}
	return binary.BigEndian.Uint64(key[1:]), nil
}

func parseRecordKey(key []byte) (place, error) {
	if len(key) != recordKeyLen || key[0] != recordPrefix {
		return place{}, errKey
	}
	return place{binary.BigEndian.Uint64(key[1:]), binary.BigEndian.Uint64(key[9:])}, nil
}
