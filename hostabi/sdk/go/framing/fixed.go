package framing

// Fixed is the rule for frames that all have the same length.
type Fixed struct {
	// Size is the length of a frame in bytes, 1 to [MaxFrame].
	Size int
}

func (f Fixed) check() error { return within("Fixed.Size", f.Size, 1, MaxFrame) }

func (f Fixed) splitter() splitter { return &sized{rules: f} }

type sized struct {
	rules   Fixed
	waiting gathered
}

func (s *sized) held() int { return len(s.waiting) }

func (s *sized) reset() { s.waiting = nil }

func (s *sized) next(b []byte) (used int, frame []byte, err error) {
	used, frame = s.waiting.take(b, s.rules.Size)
	return used, frame, nil
}

// gathered buffers a run of bytes of known length. It grows with the received bytes, not with the announced length.
type gathered []byte

// take consumes up to the missing bytes from b, and returns all n once they are complete: as a slice of b if b contains
// them all.
func (g *gathered) take(b []byte, n int) (used int, all []byte) {
	missing := n - len(*g)
	if len(*g) == 0 && missing <= len(b) {
		return n, b[:n:n]
	}
	used = min(missing, len(b))
	*g = append(*g, b[:used]...)
	if len(*g) < n {
		return used, nil
	}
	all = *g
	*g = nil
	return used, all
}
