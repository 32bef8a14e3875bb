package doctor

import (
	"cmp"
	"context"

	"github.com/exgate/exgate/runtime/gateway"
)

// controlTopic is upstream.control_topic where nothing is said.
const controlTopic = "exgate/control"

// nothing is what gateways tell each other when no device has logged in.
var nothing = []byte(`{"node":"","claims":[]}`)

// control says whether the gateway may use the topics at which gateways tell each other which device is theirs.
func (v *visitor) control(ctx context.Context, s gateway.Session) []Finding {
	topic := cmp.Or(v.cfg.Upstream.ControlTopic, controlTopic)
	claims, probe := topic+"/claims", topic+"/probe/"+v.cfg.Node+"/#"
	var findings []Finding
	for _, try := range []struct {
		what, topic string
		call        func(done gateway.Done)
	}{
		{"subscribe to", claims, func(done gateway.Done) { s.Subscribe(claims, 1, done) }},
		{"subscribe to", probe, func(done gateway.Done) { s.Subscribe(probe, 0, done) }},
		{"publish to", claims, func(done gateway.Done) { s.Publish(claims, 1, nothing, done) }},
	} {
		if r := await(ctx, try.call); !r.Ok() {
			findings = append(findings, v.problem("upstream.control_topic", "the gateway may not %s %s at the broker at %s (%s): allow it %s/# there, or change the topic",
				try.what, try.topic, v.address, r.Message, topic))
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
