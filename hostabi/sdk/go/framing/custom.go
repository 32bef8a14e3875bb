package framing

import "errors"

// Custom is the rule for frames of any other kind: a function of the protocol measures them.
type Custom struct {
	// Measure returns the length of the frame that begins with the bytes of b, of which there is at least one: 0 if it
	// cannot be known before there are more bytes, and less than 0 if no frame begins so. More bytes must not change a
	// length or a refusal. Measure is called again with each piece of the stream until it knows the length, so it
	// should look at the head of a frame only.
	//
	// After a refusal, Frames yields [ErrBroken] once and skips bytes up to one where Measure does not refuse.
	Measure func(b []byte) int
	// Max is the largest length of a frame, 1 to [MaxFrame]. A longer frame is skipped, and so are Max bytes whose
	// length is still not known.
	Max int
}

func (c Custom) check() error {
	if c.Measure == nil {
		return errors.New("framing: Custom.Measure is missing")
	}
	return within("Custom.Max", c.Max, 1, MaxFrame)
}

func (c Custom) splitter() splitter { return &customary{rules: c} }

// customary splits a stream by a function.
type customary struct {
	rules Custom
	kept  []byte
	whole int  // of the frame in kept, if it is known
	skip  int  // remaining bytes of a frame that is too long
	lost  bool // after a refusal
}

func (c *customary) held() int { return len(c.kept) }

func (c *customary) reset() { *c = customary{rules: c.rules} }

func (c *customary) next(b []byte) (used int, frame []byte, err error) {
	if c.skip > 0 {
		used = min(c.skip, len(b))
		c.skip -= used
		return used, nil, nil
	}
	before := len(c.kept)
	all := b[:min(len(b), c.rules.Max-before)]
	if before > 0 {
		all = append(c.kept, all...)
	}
	if c.whole == 0 {
		c.whole = c.rules.Measure(all)
	}
	switch n := c.whole; {
	case n < 0:
		return c.refused(all, before)
	case n > c.rules.Max:
		c.whole, c.kept, c.lost = 0, nil, false
		c.skip = n - before
		return 0, nil, ErrTooLong
	case n > 0 && n <= len(all):
		c.whole, c.lost = 0, false
		if n < before {
			c.kept = c.kept[n:]
			return 0, all[:n:n], nil
		}
		c.kept = nil
		return n - before, all[:n:n], nil
	case n == 0 && len(all) == c.rules.Max:
		c.kept, c.lost = nil, false
		return len(all) - before, nil, ErrTooLong
	}
	used = len(all) - before
	c.kept = append([]byte(nil), all...)
	return used, nil, nil
}

// refused skips a byte that begins no frame. What was kept behind it is looked at again.
func (c *customary) refused(all []byte, before int) (used int, frame []byte, err error) {
	if !c.lost {
		err = ErrBroken
	}
	c.whole, c.lost = 0, true
	n := 1
	for n < before && c.rules.Measure(all[n:]) < 0 {
		n++
	}
	if n < before {
		c.kept = c.kept[n:]
		return 0, nil, err
	}
	c.kept = nil
	return n - before, nil, err
}
