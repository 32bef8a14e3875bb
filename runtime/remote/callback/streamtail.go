package callback

// What is kept of the events that were written to a shared stream.
const (
	tailEvents = 32
	tailBytes  = 1 << 20
)

// tail is the last events of a stream: whose connections may be affected by its end, and, while it is short, what may have to be sent again.
type tail struct {
	events []*sharedEvent
	bytes  int
	cut    bool // events are missing, or their bytes
}

func (t *tail) add(e *sharedEvent) {
	t.bytes += len(e.data)
	if !t.cut && (len(t.events) == tailEvents || t.bytes > tailBytes) {
		t.forget()
	}
	if t.cut {
		e.data = nil
	}
	if len(t.events) == tailEvents {
		t.events = append(t.events[:0], t.events[1:]...)
	}
	t.events = append(t.events, e)
}

// forget drops what the events said.
func (t *tail) forget() {
	t.cut = true
	for _, e := range t.events {
		e.data = nil
	}
}

// take empties the tail. whole says that events are all that were written, with what they said.
func (t *tail) take() (events []*sharedEvent, whole bool) {
	events, whole = t.events, !t.cut
	*t = tail{}
	return events, whole
}
