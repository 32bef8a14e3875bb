package mqtt

import (
	"slices"
	"sync"
	"time"
)

// loginGrace is how long after a login the end of an older connection with the same client id still counts as its doing: the broker ends that one
// first, but over another connection, which may be read later.
const loginGrace = 5 * time.Second

// logins are the clients that connect, or did within loginGrace, by client id. A broker ends the older connection of a client id when a client of this
// gateway connects with it, and mosquitto 2.0.11 does so without a word: such an end says nothing about what was under way on the connection.
type logins struct {
	mu sync.Mutex
	by map[string][]*client // guarded by mu; no empty lists
}

// begin is called before c writes CONNECT.
func (l *logins) begin(c *client) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.by == nil {
		l.by = map[string][]*client{}
	}
	l.by[c.id] = append(l.by[c.id], c)
}

// finish is called with what came of begin. A client that the broker refuses takes no connection over.
func (l *logins) finish(c *client, err error) {
	if err != nil && isAnswer(err) {
		l.remove(c)
		return
	}
	time.AfterFunc(loginGrace, func() { l.remove(c) })
}

func (l *logins) remove(c *client) {
	l.mu.Lock()
	defer l.mu.Unlock()
	list := l.by[c.id]
	if at := slices.Index(list, c); at >= 0 {
		list = slices.Delete(list, at, at+1)
	}
	if len(list) == 0 {
		delete(l.by, c.id)
	} else {
		l.by[c.id] = list
	}
}

// replaces reports whether another client than c connects with the client id of c.
func (l *logins) replaces(c *client) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.ContainsFunc(l.by[c.id], func(other *client) bool { return other != c })
}
