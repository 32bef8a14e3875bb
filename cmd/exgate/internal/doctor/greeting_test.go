package doctor

import (
	"io"
	"net"
	"testing"
	"time"
)

func TestRecognize(t *testing.T) {
	for answer, want := range map[string]speech{
		"":                                     saysNothing,
		"\x00\x00\x06\x04\x00\x00\x00\x00\x00": saysHTTP2,
		"\x00\x00\x08\x07\x00\x00\x00\x00\x00": saysHTTP2, // GOAWAY
		"\x00\x00\x08\x07\x00\x00\x00\x00\x01": saysOther, // a frame of a stream
		"HTTP/1.1 ":                            saysHTTP1,
		"\x15\x03\x01\x00\x02\x02\x46":         saysTLS,
		"220 mail.":                            saysOther,
		"\x00":                                 saysOther,
	} {
		if got := recognize([]byte(answer)); got != want {
			t.Errorf("%q is %v, want %v", answer, got, want)
		}
	}
}

// FuzzGreet greets servers that send anything.
func FuzzGreet(f *testing.F) {
	for _, answer := range []string{
		"", "\x00\x00\x06\x04\x00\x00\x00\x00\x00more", "HTTP/1.1 400 Bad Request\r\n\r\n",
		"\x15\x03\x01",
	} {
		f.Add([]byte(answer))
	}
	f.Fuzz(func(t *testing.T, answer []byte) {
		near, far := net.Pipe()
		defer near.Close()
		go func() {
			_, _ = io.ReadFull(far, make([]byte, len(hello)))
			_ = far.SetWriteDeadline(time.Now().Add(time.Second))
			_, _ = far.Write(answer)
			_ = far.Close()
		}()
		said, err := greet(near)
		if (said == saysNothing) != (len(answer) == 0) || (err != nil) != (len(answer) == 0) {
			t.Errorf("%q is %v, %v", answer, said, err)
		}
	})
}
