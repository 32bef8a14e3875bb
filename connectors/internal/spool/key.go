package spool

import (
	"encoding/binary"
	"errors"
)

// The keys of the database, in the order in which they stand:
//
//	"c" number            the client id of the queue with this number
//	"f"                   what the files are, formatMark
//	"r" number sequence   a record
//
// Numbers and sequence numbers are 8 bytes, big endian. A client id may be anything and 65535 bytes long, so it is in
// the files once and in no key.
const (
	clientPrefix = 'c'
	recordPrefix = 'r'

	clientKeyLen = 1 + 8
	recordKeyLen = 1 + 8 + 8
)

var (
	formatKey  = []byte{'f'}
	formatMark = []byte("exgate spool 1")

	errKey = errors.New("a key that is none of a spool's")
)

// place is where a record is.
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
