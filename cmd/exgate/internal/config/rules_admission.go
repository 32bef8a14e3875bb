package config

// admission checks who may connect, and how often.
func (r rules) admission(key string, l Listener) {
	r.exclusive(key+".access.rules", key+".access.file")
	r.file(key+".access.file", l.Access.File)
	if at, ok := r.cfg.said(key + ".ban"); ok && l.Ban.Failures == 0 && !r.broken(key+".ban") {
		r.problems.add(at, key+".ban", "needs failures, after how many a source is refused")
	}
	r.burst(key+".connection_burst", l.ConnectionBurst, "connection_rate", l.ConnectionRate)
	limits := key + ".limits."
	r.burst(limits+"bytes_burst", l.Limits.BytesBurst, "bytes_per_second", l.Limits.BytesPerSecond)
	r.burst(limits+"messages_burst", l.Limits.MessagesBurst, "messages_per_second", l.Limits.MessagesPerSecond)
	r.burst(limits+"publishes_burst", l.Limits.PublishesBurst, "publishes_per_second", l.Limits.PublishesPerSecond)
}

// burst refuses a burst without the rate that it is above.
func (r rules) burst(key string, burst int, name string, rate int) {
	if burst != 0 && rate == 0 {
		r.problem(key, "needs %s", name)
	}
}
