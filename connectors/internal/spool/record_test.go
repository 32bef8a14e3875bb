package spool

import (
	"bytes"
	"strings"
	"testing"
	"time"
)

func FuzzDecode(f *testing.F) {
	for _, r := range []Record{
		{QoS: 1},
		{Topic: "a/b", Payload: []byte("x"), QoS: 2, At: time.Unix(1700000000, 0)},
		{Topic: strings.Repeat("t", 300), Properties: []byte{0x26, 0, 1, 'k', 0, 1, 'v'}, QoS: 1, At: time.Unix(-1, 0)},
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
			again.QoS != r.QoS || !again.At.Equal(r.At) {
			t.Fatalf("%+v came back as %+v, %v", r, again, err)
		}
	})
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
