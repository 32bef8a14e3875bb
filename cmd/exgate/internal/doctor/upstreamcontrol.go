package doctor

import (
	"cmp"
	"context"

	"github.com/exgate/exgate/runtime/gateway"
)

// controlTopic is upstream.control_topic where nothing is said.
const controlTopic = "exgate/control"

// control says whether the gateway may use the topic at which gateways tell each other which device is theirs.
func (v *visitor) control(ctx context.Context, s gateway.Session) []Finding {
	topic := cmp.Or(v.cfg.Upstream.ControlTopic, controlTopic)
	var findings []Finding
	for _, try := range []struct {
		what string
		call func(done gateway.Done)
	}{
		{"subscribe to", func(done gateway.Done) { s.Subscribe(topic, 1, done) }},
		{"publish to", func(done gateway.Done) { s.Publish(topic, 1, nil, done) }},
	} {
		if r := await(ctx, try.call); !r.Ok() {
			findings = append(findings, v.problem("upstream.control_topic", "the gateway may not %s %s at the broker at %s (%s): allow it there, or change the topic",
				try.what, topic, v.address, r.Message))
		}
	}
	return findings
}

// await is the result of a call of a session.
func await(ctx context.Context, call func(gateway.Done)) gateway.Result {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	result := make(chan gateway.Result, 1)
	call(func(r gateway.Result) { result <- r })
	select {
	case r := <-result:
		return r
	case <-ctx.Done():
		return gateway.Refuse(gateway.CodeUnknown, "no answer in %s", patience)
	}
}
