package spool

import "container/heap"

// largest is a heap of queues, with the one that has the most bytes on disk at the top. It implements [heap.Interface].
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

// update restores the position of q after its size has changed. A queue without records on disk is not in the heap.
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
