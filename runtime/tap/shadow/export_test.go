package shadow

// SetBounds replaces the bounds of the queues. One shadow runs at a time.
func (s *Shadow) SetBounds(queueBytes, totalBytes int) {
	s.queueBytes, s.totalBytes, s.workers = queueBytes, totalBytes, make(chan struct{}, 1)
}
