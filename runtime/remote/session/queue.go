package session

// resultQueue holds events that need no acknowledgement, in pieces of about half a frame. The zero value is empty. It is not safe for concurrent use.
type resultQueue struct {
	pieces [][]byte
	size   int
}

// Size is how many bytes wait.
func (q *resultQueue) Size() int { return q.size }

// Add puts an event in.
func (q *resultQueue) Add(conn uint64, kind eventKind, body []byte) {
	last := len(q.pieces) - 1
	if last < 0 || len(q.pieces[last]) > maxFrame/2 {
		q.pieces = append(q.pieces, nil)
		last++
	}
	before := len(q.pieces[last])
	q.pieces[last] = appendEvent(q.pieces[last], conn, 0, kind, body)
	q.size += len(q.pieces[last]) - before
}

// Take appends the oldest piece to frame.
func (q *resultQueue) Take(frame []byte) []byte {
	if len(q.pieces) == 0 {
		return frame
	}
	first := q.pieces[0]
	q.size -= len(first)
	if len(q.pieces) > 1 {
		q.pieces = q.pieces[1:]
	} else {
		q.pieces[0] = first[:0]
	}
	return append(frame, first...)
}
