package mqtt

import (
	"slices"
	"sync"
	"time"
)

const (
	// loginGrace is how long after a login the end of an older connection with the same client id may be noticed: the broker ends that one first, but
	// the two connections are read by different goroutines.
	loginGrace = 5 * time.Second

	// unclearGrace is the same for a login that the broker did not answer: it may have carried it out. It is longer than any pause of connectAgain.
	unclearGrace = 5 * time.Minute
)

// logins are the CONNECTs of this gateway that are under way or were carried out lately, by client id. The broker ends the older connection of a client
// id when another client connects with it, and mosquitto 2.0.11 does so without a word: such an end says nothing about what was under way on the
// connection, and what the broker has under that client id then is the other client's session.
type logins struct {
	mu sync.Mutex
	by map[string][]*attempt // guarded by mu; no empty lists
}

type attempt struct {
	client *client
	done   time.Time // zero: under way
}

// begin is called before c writes CONNECT.
func (l *logins) begin(c *client) *attempt {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.by == nil {
		l.by = map[string][]*attempt{}
	}
	n := &attempt{client: c}
	l.by[c.id] = append(l.by[c.id], n)
	return n
}

// finish is called with what came of a login. One that the broker refused has replaced no session.
func (l *logins) finish(n *attempt, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	grace := loginGrace
	switch {
	case err != nil && isAnswer(err):
		l.remove(n)
		return
	case err != nil:
		grace = unclearGrace
	}
	n.done = time.Now()
	time.AfterFunc(grace, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.remove(n)
	})
}

// remove needs mu.
func (l *logins) remove(n *attempt) {
	id := n.client.id
	if list := slices.DeleteFunc(l.by[id], func(other *attempt) bool { return other == n }); len(list) > 0 {
		l.by[id] = list
	} else {
		delete(l.by, id)
	}
}

// replaced reports whether another client has connected with the client id of c since then, or is about to.
func (l *logins) replaced(c *client, since time.Time) bool {
	return l.other(c, func(n *attempt) bool { return n.done.IsZero() || n.done.After(since) })
}

// underWay reports whether another client connects with the client id of c.
func (l *logins) underWay(c *client) bool {
	return l.other(c, func(n *attempt) bool { return n.done.IsZero() })
}

func (l *logins) other(c *client, matches func(*attempt) bool) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.ContainsFunc(l.by[c.id], func(n *attempt) bool { return n.client != c && matches(n) })
}
