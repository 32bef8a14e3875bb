package udp

// Stop ends the reading. Peers stay and may write; the socket is freed when the last of them has ended. Calling it again does nothing.
func (m *Mux) Stop() error {
	m.mu.Lock()
	if m.isStopped() {
		m.mu.Unlock()
		return nil
	}
	close(m.stopped)
	m.mu.Unlock()
	m.socket.stop()
	return m.closeIfDone()
}

// peerEnded notes that a peer's receiver has seen its last call.
func (m *Mux) peerEnded() {
	if m.peers.Add(-1) == 0 {
		_ = m.closeIfDone()
	}
}

// closeIfDone frees the socket where nobody uses it any longer.
func (m *Mux) closeIfDone() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed || m.serving || !m.isStopped() || m.peers.Load() > 0 {
		return nil
	}
	m.closed = true
	close(m.ended)
	return m.socket.close()
}
