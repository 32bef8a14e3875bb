package mqtt

// Retains reports whether the broker keeps retained messages, as it said when the session was last connected. It is true while that is not known.
func (s *Session) Retains() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.link == nil || !s.link.noRetain
}
