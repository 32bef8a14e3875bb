package conformance

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/exgate/exgate/hostabi"
)

func bytesSamples(t *trial) string {
	d := t.device()
	for _, sample := range t.run.options.Samples {
		d.bytes(sample)
		d.event(hostabi.KindMessages, 0, hostabi.AppendMessage(nil, message(0)))
		d.event(hostabi.KindTimer, 0, nil)
	}
	d.close("tcp_closed")
	return fmt.Sprintf("accepts %d samples, with messages and timers in between", len(t.run.options.Samples))
}

// bytesEmpty delivers empty datagrams between others.
func bytesEmpty(t *trial) string {
	d := t.device()
	d.bytes(nil)
	d.bytes(t.run.options.Samples[0])
	d.bytes(nil)
	d.close("tcp_closed")
	return "accepts empty bodies"
}

func bytesSingle(t *trial) string {
	for b := range 256 {
		d := t.device()
		d.bytes([]byte{byte(b)})
		d.bytes([]byte{byte(b)})
		d.close("tcp_closed")
	}
	return "accepts each of the 256 bytes as the first and the second of a connection"
}

func bytesRandom(t *trial) string {
	r, total := newNoise(), 0
	for range 200 {
		d := t.device()
		for range 5 {
			b := noise(r, int(r.Uint32()%2048))
			if r.Uint32()%2 == 0 { // text, so that line protocols are exercised too
				b = asText(b)
			}
			d.bytes(b)
			total += len(b)
		}
		d.close("tcp_closed")
	}
	return fmt.Sprintf("accepts %d bytes of noise on 200 connections", total)
}

// asText maps noise to the characters of text protocols.
func asText(b []byte) []byte {
	const alphabet = "abcXYZ019 \t\r\n{}[]\":,;=#*$/+-.%\\"
	text := make([]byte, len(b))
	for i, c := range b {
		text[i] = alphabet[int(c)%len(alphabet)]
	}
	return text
}

// bytesLargest delivers the largest body that a gateway delivers by default.
func bytesLargest(t *trial) string {
	r := newNoise()
	fillings := [][]byte{
		bytes.Repeat([]byte{0}, eventBytes), bytes.Repeat([]byte{0xff}, eventBytes),
		bytes.Repeat([]byte("a"), eventBytes),
		bytes.Repeat([]byte("\n"), eventBytes), bytes.Repeat([]byte("{"), eventBytes), noise(r, eventBytes),
		asText(noise(r, eventBytes)),
	}
	for _, b := range fillings {
		d := t.device()
		d.bytes(b)
		d.bytes(b[:eventBytes-1])
		d.close("tcp_closed")
	}
	return fmt.Sprintf("accepts bodies of %d bytes: zeros, ones, letters, line ends, braces, noise", eventBytes)
}

// bytesInPieces delivers samples as a whole and byte by byte. The guest should make the same calls.
func bytesInPieces(t *trial) string {
	var differ []string
	for i, sample := range t.run.options.Samples {
		whole := t.scriptOf(func(d *device) { d.bytes(sample) })
		pieces := t.scriptOf(func(d *device) {
			for j := range sample {
				if !d.open {
					return
				}
				d.bytes(sample[j : j+1])
			}
		})
		if whole != pieces {
			differ = append(differ, fmt.Sprint(i+1))
		}
	}
	if differ != nil {
		t.warnf("the guest makes other calls for sample %s byte by byte than as a whole: right for datagrams, "+
			"wrong for a stream", strings.Join(differ, ", "))
	}
	return fmt.Sprintf("makes the same calls for %d samples as a whole and byte by byte", len(t.run.options.Samples))
}

// scriptOf returns the calls that the guest makes on a new connection. Their results are delivered at the end.
func (t *trial) scriptOf(do func(d *device)) string {
	d := t.device()
	var script strings.Builder
	t.calls.script, t.calls.sending = &script, false
	t.holding = true
	do(d)
	t.holding = false
	t.answer(d)
	t.calls.script = nil
	d.close("tcp_closed")
	return script.String()
}

// bytesWithoutEnd sends data that never completes a frame, in line protocols and in protocols with lengths.
func bytesWithoutEnd(t *trial) string {
	const total = 8 << 20
	before := t.guest.Memory()
	for _, filling := range []byte{'a', 0xff} {
		d := t.device()
		for sent := 0; sent < total && d.open && !t.over(); sent += eventBytes {
			d.bytes(bytes.Repeat([]byte{filling}, eventBytes))
		}
		d.close("tcp_closed")
	}
	if grown := t.guest.Memory() - before; grown > total/2 && !t.over() {
		t.failf("the memory grew by %d bytes during %d bytes of an endless frame: limit what the guest buffers",
			grown, total)
	}
	return fmt.Sprintf("accepts %d bytes of an endless frame, or closes the connection", total)
}
