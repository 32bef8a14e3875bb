package spool

import "container/heap"

// largest is a heap of queues with the one on top that holds the most bytes on disk. It implements [heap.Interface].
type largest []*Queue

func (l largest) Len() int           { return len(l) }
func (l largest) Less(i, j int) bool { return l[i].held > l[j].held }

func (l largest) Swap(i, j int) {
	l[i], l[j] = l[j], l[i]
	l[i].index, l[j].index = i, j
}

func (l *largest) Push(q any) {
	q.(*Queue).index = len(*l)
	*l = append(*l, q.(*Queue))
}

func (l *largest) Pop() any {
	last := len(*l) - 1
	q := (*l)[last]
	(*l)[last] = nil
	*l = (*l)[:last]
	q.index = -1
	return q
}

// update puts q where it belongs after a change of what it holds: nowhere while it has no records on disk.
func (l *largest) update(q *Queue) {
	switch {
	case q.durable == 0 && q.index >= 0:
		heap.Remove(l, q.index)
	case q.durable > 0 && q.index < 0:
		heap.Push(l, q)
	case q.durable > 0:
		heap.Fix(l, q.index)
	}
}
