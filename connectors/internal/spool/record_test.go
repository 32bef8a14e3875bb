package spool

import (
	"bytes"
	"reflect"
	"strings"
	"testing"
	"time"
)

func FuzzDecode(f *testing.F) {
	for _, r := range []Record{
		{QoS: 1},
		{Topic: "a/b", Payload: []byte("x"), QoS: 2, At: time.Unix(1700000000, 0)},
		{Topic: strings.Repeat("t", 300), Properties: []byte{0x26, 0, 1, 'k', 0, 1, 'v'}, QoS: 1, At: time.Unix(-1, 0)},
		{Topic: "t", QoS: 1, Retain: true, Expiry: 1<<32 - 1},
	} {
		f.Add(r.encode())
	}
	f.Add([]byte{layout, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01, 5})
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := decode(b)
		at, atErr := decodeAt(b)
		if err != nil {
			return
		}
		if atErr != nil || !at.Equal(r.At) {
			t.Fatalf("at %v %v, in the record %v", at, atErr, r.At)
		}
		again, err := decode(r.encode())
		if err != nil || again.Topic != r.Topic || !bytes.Equal(again.Payload, r.Payload) ||
			!bytes.Equal(again.Properties, r.Properties) ||
			again.QoS != r.QoS || !again.At.Equal(r.At) || again.Retain != r.Retain || again.Expiry != r.Expiry {
			t.Fatalf("%+v came back as %+v, %v", r, again, err)
		}
	})
}

// Records that earlier versions have stored are read for ever, and written as they were.
func TestStoredRecords(t *testing.T) {
	at := time.UnixMicro(1700000000123456)
	for stored, want := range map[string]Record{
		"\x01\x01\x00\x06\x0a\x24\x18\x20\x22\x40\x03\x00a/bx": {Topic: "a/b", Payload: []byte("x"), QoS: 1, At: at},
		"\x01\x02\x00\x06\x0a\x24\x18\x20\x22\x40\x01\x07t\x26\x00\x01k\x00\x01v": {
			Topic: "t", Payload: []byte{}, QoS: 2, Properties: []byte("\x26\x00\x01k\x00\x01v"), At: at,
		},
		"\x02\x81\x00\x06\x0a\x24\x18\x20\x22\x40\x00\x01\x00tx": {
			Topic: "t", Payload: []byte("x"), QoS: 1, At: at, Retain: true,
		},
		"\x02\x02\x00\x06\x0a\x24\x18\x20\x22\x40\xac\x02\x01\x00tx": {
			Topic: "t", Payload: []byte("x"), QoS: 2, At: at, Expiry: 300,
		},
	} {
		got, err := decode([]byte(stored))
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%x:\n got %+v, %v\nwant %+v", stored, got, err, want)
		}
		if b := want.encode(); string(b) != stored {
			t.Errorf("got %x, want %x", b, stored)
		}
	}
	for _, bad := range []string{
		"\x03\x01\x00\x06\x0a\x24\x18\x20\x22\x40\x01\x00tx", // a later layout
		"\x01\x81\x00\x06\x0a\x24\x18\x20\x22\x40\x01\x00tx", // a flag that layout 1 does not have
		"\x02\x01\x00\x06\x0a\x24\x18\x20\x22\x40",
		"\x02\x01\x00\x06\x0a\x24\x18\x20\x22\x40\xff\xff\xff\xff\x7f\x01\x00tx", // more than 32 bits
	} {
		if r, err := decode([]byte(bad)); err == nil {
			t.Errorf("%x is %+v", bad, r)
		}
	}
}

func FuzzKeys(f *testing.F) {
	f.Add(clientKey(1))
	f.Add(place{1, 2}.key())
	f.Add([]byte("r"))
	f.Fuzz(func(t *testing.T, key []byte) {
		if p, err := parseRecordKey(key); err == nil && !bytes.Equal(p.key(), key) {
			t.Errorf("%x is %x", key, p.key())
		}
		if n, err := parseClientKey(key); err == nil && !bytes.Equal(clientKey(n), key) {
			t.Errorf("%x is %x", key, clientKey(n))
		}
	})
}
