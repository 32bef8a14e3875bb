package conformance

import "github.com/exgate/exgate/hostabi"

// scenario is a check in an instance of its own. run returns what it has seen if nothing failed.
type scenario struct {
	name    string
	run     func(t *trial) string
	lenient bool // a fault is a warning: it may be caused by limits of the gateway
}

// scenarios returns all scenarios, the simple ones first.
func scenarios() []scenario {
	return []scenario{
		{name: "created_closed", run: createdClosed},
		{name: "peers", run: peers},
		{name: "close_reasons", run: closeReasons},
		{name: "bytes_samples", run: bytesSamples},
		{name: "bytes_empty", run: bytesEmpty},
		{name: "bytes_single", run: bytesSingle},
		{name: "bytes_random", run: bytesRandom},
		{name: "bytes_largest", run: bytesLargest},
		{name: "bytes_in_pieces", run: bytesInPieces},
		{name: "bytes_without_end", run: bytesWithoutEnd},
		{name: "messages_none", run: messagesNone},
		{name: "messages_one", run: messagesOne},
		{name: "messages_many", run: messagesMany},
		{name: "messages_largest", run: messagesLargest},
		{name: "messages_over_limit", run: messagesOverLimit, lenient: true},
		{name: "messages_not_utf8", run: messagesNotUTF8},
		{name: "fields_unknown", run: fieldsUnknown},
		{name: "timer", run: timers},
		{name: "alarm", run: alarms},
		{name: "drain", run: drain},
		{name: "kinds_unknown", run: kindsUnknown},
		{name: "results_unknown", run: resultsUnknown},
		{name: "results_refused", run: resultsRefused},
		{name: "calls_limit", run: refused(hostabi.CodeLimit)},
		{name: "calls_unsupported", run: refused(hostabi.CodeUnsupported)},
		{name: "calls_denied", run: refused(hostabi.CodePermissionDeny)},
		{name: "calls_not_alive", run: refused(hostabi.CodeConnProcessNotAlive)},
		{name: "connections_together", run: connectionsTogether},
		{name: "memory_connections", run: memoryConnections},
		{name: "memory_events", run: memoryEvents},
	}
}

// Names returns the names of all checks that [Options.Only] accepts, including those made in every run.
func Names() []string {
	names := []string{"start"}
	for _, s := range scenarios() {
		names = append(names, s.name)
	}
	return append(names, "start_without_configuration", "actions_valid", "calls_own_connections",
		"calls_open_connections", "calls_in_closed", "fuel")
}

// conclude adds the checks that cover all scenarios.
func (r *run) conclude() {
	s := r.seen
	r.none("actions_valid", s.badAction, "the guest returned action ",
		"all actions were CONTINUE, PAUSE, CLOSE or FAIL")
	r.none("calls_own_connections", s.foreign, "", "no call was for a connection that never existed")
	r.none("calls_open_connections", s.late, "after CLOSED ", "no call was for a connection after its CLOSED")
	if s.inClosed != "" {
		r.add("calls_in_closed", Warn, "%s inside its CLOSED: such a call is always refused", s.inClosed)
	}
	r.fuel()
}

func (r *run) none(name, found, prefix, otherwise string) {
	if found != "" {
		r.add(name, Fail, "%s%s", prefix, found)
		return
	}
	r.add(name, Pass, "%s (%d events)", otherwise, r.seen.events)
}

func (r *run) fuel() {
	const name = "fuel"
	s := r.seen
	limit := s.allowed
	switch {
	case !s.metered:
		r.add(name, Warn, "this host does not meter")
	case s.fuel > limit:
		r.add(name, Fail, "an event used %d units, more than %d: %s", s.fuel, limit, s.fuelOf)
	case s.fuel > limit/2:
		r.add(name, Warn, "an event used %d of %d units: %s", s.fuel, limit, s.fuelOf)
	default:
		r.add(name, Pass, "the most expensive event used %d of %d units: %s", s.fuel, limit, s.fuelOf)
	}
}
