package embedded

import (
	"strings"
	"sync"
)

// index finds the device sessions that subscribed to a topic. Filters without wildcards, which is what most devices use, stand in one map.
type index struct {
	mu    sync.RWMutex
	exact map[string]sessionSet
	wild  node
}

type sessionSet map[*Session]struct{}

// node is one level of the filters with wildcards.
type node struct {
	next map[string]*node
	here sessionSet
}

func (x *index) add(filter string, s *Session) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if !strings.ContainsAny(filter, "+#") {
		if x.exact == nil {
			x.exact = map[string]sessionSet{}
		}
		if x.exact[filter] == nil {
			x.exact[filter] = sessionSet{}
		}
		x.exact[filter][s] = struct{}{}
		return
	}
	n := &x.wild
	for level := range strings.SplitSeq(filter, "/") {
		n = n.child(level)
	}
	if n.here == nil {
		n.here = sessionSet{}
	}
	n.here[s] = struct{}{}
}

func (n *node) child(level string) *node {
	if n.next == nil {
		n.next = map[string]*node{}
	}
	c := n.next[level]
	if c == nil {
		c = &node{}
		n.next[level] = c
	}
	return c
}

func (x *index) remove(filter string, s *Session) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if strings.ContainsAny(filter, "+#") {
		x.wild.remove(filter, true, s)
		return
	}
	delete(x.exact[filter], s)
	if len(x.exact[filter]) == 0 {
		delete(x.exact, filter)
	}
}

// remove takes s away and prunes the nodes that nothing is left in.
func (n *node) remove(filter string, more bool, s *Session) {
	if !more {
		delete(n.here, s)
		return
	}
	level, rest, more := strings.Cut(filter, "/")
	c := n.next[level]
	if c == nil {
		return
	}
	c.remove(rest, more, s)
	if len(c.here) == 0 && len(c.next) == 0 {
		delete(n.next, level)
	}
}

// match appends the sessions subscribed to name to out, a session once for each filter of its that matches.
func (x *index) match(name string, out []*Session) []*Session {
	x.mu.RLock()
	defer x.mu.RUnlock()
	out = x.exact[name].appendTo(out)
	if len(x.wild.next) > 0 {
		out = x.wild.match(name, !strings.HasPrefix(name, "$"), out)
	}
	return out
}

// match goes one level down. wildcards is false at the first level of a topic that begins with $.
func (n *node) match(name string, wildcards bool, out []*Session) []*Session {
	level, rest, more := strings.Cut(name, "/")
	if wildcards {
		if hash := n.next["#"]; hash != nil {
			out = hash.here.appendTo(out)
		}
		out = n.next["+"].matchRest(rest, more, out)
	}
	return n.next[level].matchRest(rest, more, out)
}

func (n *node) matchRest(rest string, more bool, out []*Session) []*Session {
	switch {
	case n == nil:
		return out
	case more:
		return n.match(rest, true, out)
	}
	out = n.here.appendTo(out)
	if hash := n.next["#"]; hash != nil {
		out = hash.here.appendTo(out)
	}
	return out
}

func (set sessionSet) appendTo(out []*Session) []*Session {
	for s := range set {
		out = append(out, s)
	}
	return out
}
