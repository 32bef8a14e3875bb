package topic

import (
	"strings"
	"sync"
)

// Index finds the subscribers of a topic. Filters without wildcards, which most devices use, are in one map. The zero
// value is an empty index; its methods may be called from any goroutine.
type Index[T comparable] struct {
	mu    sync.RWMutex
	exact map[string]set[T] // guarded by mu, like wild
	wild  node[T]
}

type set[T comparable] map[T]struct{}

// node is one level of the filters with wildcards.
type node[T comparable] struct {
	next map[string]*node[T]
	here set[T]
}

// Add subscribes member to filter, which must not be shared and must have passed CheckFilter.
func (x *Index[T]) Add(filter string, member T) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if !strings.ContainsAny(filter, "+#") {
		if x.exact == nil {
			x.exact = map[string]set[T]{}
		}
		if x.exact[filter] == nil {
			x.exact[filter] = set[T]{}
		}
		x.exact[filter][member] = struct{}{}
		return
	}
	n := &x.wild
	for level := range strings.SplitSeq(filter, "/") {
		n = n.child(level)
	}
	if n.here == nil {
		n.here = set[T]{}
	}
	n.here[member] = struct{}{}
}

func (n *node[T]) child(level string) *node[T] {
	if n.next == nil {
		n.next = map[string]*node[T]{}
	}
	c := n.next[level]
	if c == nil {
		c = &node[T]{}
		n.next[level] = c
	}
	return c
}

// Remove undoes Add.
func (x *Index[T]) Remove(filter string, member T) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if strings.ContainsAny(filter, "+#") {
		x.wild.remove(filter, true, member)
		return
	}
	delete(x.exact[filter], member)
	if len(x.exact[filter]) == 0 {
		delete(x.exact, filter)
	}
}

// remove removes member and prunes the nodes that become empty.
func (n *node[T]) remove(filter string, more bool, member T) {
	if !more {
		delete(n.here, member)
		return
	}
	level, rest, more := strings.Cut(filter, "/")
	c := n.next[level]
	if c == nil {
		return
	}
	c.remove(rest, more, member)
	if len(c.here) == 0 && len(c.next) == 0 {
		delete(n.next, level)
	}
}

// Match appends the subscribers of name to out, each once for each of its filters that matches.
func (x *Index[T]) Match(name string, out []T) []T {
	x.mu.RLock()
	defer x.mu.RUnlock()
	out = x.exact[name].appendTo(out)
	if len(x.wild.next) > 0 {
		out = x.wild.match(name, !strings.HasPrefix(name, "$"), out)
	}
	return out
}

// match descends one level. wildcards is false at the first level of a topic that begins with $.
func (n *node[T]) match(name string, wildcards bool, out []T) []T {
	level, rest, more := strings.Cut(name, "/")
	if wildcards {
		if hash := n.next["#"]; hash != nil {
			out = hash.here.appendTo(out)
		}
		out = n.next["+"].matchRest(rest, more, out)
	}
	return n.next[level].matchRest(rest, more, out)
}

func (n *node[T]) matchRest(rest string, more bool, out []T) []T {
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

func (s set[T]) appendTo(out []T) []T {
	for member := range s {
		out = append(out, member)
	}
	return out
}

// Len returns the number of filters without wildcards plus the number of distinct first levels of the others. It is 0
// only for an empty index.
func (x *Index[T]) Len() int {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return len(x.exact) + len(x.wild.next)
}
