// Package redact covers passwords in recorded data: as they are, and in the encodings that protocols use.
//
// It imports no other package of exgate and has no lock. Begin with [Secrets]; form.go has the encodings.
package redact

import (
	"bytes"
	"iter"
)

// The bounds of one connection.
const (
	maxSecrets  = 16
	maxPassword = 4096 // bytes
)

// Secrets holds passwords to cover. The zero value is empty. It is not safe for concurrent use.
type Secrets struct {
	passwords []string
	forms     []form
	longest   int
	cover     byte
}

// Add adds a password. It reports false if there are 16 already or if it is longer than 4096 bytes: from then on,
// nothing of the connection can be shown. An empty password is ignored.
func (s *Secrets) Add(password string) bool {
	if password == "" {
		return true
	}
	for _, known := range s.passwords {
		if known == password {
			return true
		}
	}
	if len(s.passwords) == maxSecrets || len(password) > maxPassword {
		return false
	}
	s.passwords = append(s.passwords, password)
	s.forms = append(s.forms, formsOf(password)...)
	for _, f := range s.forms {
		s.longest = max(s.longest, len(f.text))
	}
	s.cover = coverFor(s.passwords)
	return true
}

// coverFor returns the character that covers passwords: '*', unless one of them contains it.
func coverFor(passwords []string) byte {
	for _, c := range []byte("*#-_x.~+=:") {
		used := false
		for _, p := range passwords {
			used = used || bytes.IndexByte([]byte(p), c) >= 0
		}
		if !used {
			return c
		}
	}
	return 0
}

// Bytes returns b with each secret covered by as many bytes. If b contains none, it returns b itself, otherwise a copy.
func (s *Secrets) Bytes(b []byte) []byte {
	covered := b
	for start, end := range s.found(b) {
		if &covered[0] == &b[0] {
			covered = bytes.Clone(b)
		}
		fill(covered[start:end], s.cover)
	}
	return covered
}

// found yields the ranges of b that contain secrets.
func (s *Secrets) found(b []byte) iter.Seq2[int, int] {
	return func(yield func(start, end int) bool) {
		if len(s.forms) == 0 {
			return
		}
		lower := lowered(b)
		for _, f := range s.forms {
			in := b
			if f.fold {
				in = lower
			}
			for at := bytes.Index(in, f.text); at >= 0; at = after(in, f.text, at) {
				if !yield(max(at-f.before, 0), min(at+len(f.text)+f.after, len(b))) {
					return
				}
			}
		}
	}
}

// after returns the index of the next text in b after at, or -1.
func after(b, text []byte, at int) int {
	next := bytes.Index(b[at+1:], text)
	if next < 0 {
		return -1
	}
	return at + 1 + next
}

// Text is Bytes for strings.
func (s *Secrets) Text(text string) string {
	if len(s.forms) == 0 || text == "" {
		return text
	}
	return string(s.Bytes([]byte(text)))
}

// Pieces covers, in place, the secrets in the stream that consists of pieces.
func (s *Secrets) Pieces(pieces [][]byte) { s.PiecesCovered(pieces) }

// PiecesCovered is Pieces and also returns which pieces it has changed. The result is nil if there are no secrets.
func (s *Secrets) PiecesCovered(pieces [][]byte) (changed []bool) {
	if len(s.forms) == 0 {
		return nil
	}
	stream := s.Bytes(bytes.Join(pieces, nil))
	changed = make([]bool, len(pieces))
	for i, p := range pieces {
		changed[i] = !bytes.Equal(p, stream[:len(p)])
		copy(p, stream)
		stream = stream[len(p):]
	}
	return changed
}

// Begun returns how many bytes at the end of the stream b may be the beginning of a secret.
func (s *Secrets) Begun(b []byte) int {
	tail := b[max(0, len(b)-s.longest):]
	lower := lowered(tail)
	longest := 0
	for _, f := range s.forms {
		in := tail
		if f.fold {
			in = lower
		}
		for n := min(len(in), len(f.text)-1); n > longest; n-- {
			if bytes.HasSuffix(in, f.text[:n]) {
				longest = n
			}
		}
	}
	return longest
}

func fill(b []byte, with byte) {
	for i := range b {
		b[i] = with
	}
}

// lowered returns a copy of b with A to Z in lower case.
func lowered(b []byte) []byte {
	small := bytes.Clone(b)
	for i, c := range small {
		if 'A' <= c && c <= 'Z' {
			small[i] = c + 'a' - 'A'
		}
	}
	return small
}
