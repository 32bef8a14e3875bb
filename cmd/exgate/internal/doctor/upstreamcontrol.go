package doctor

import (
	"cmp"
	"context"

	"github.com/exgate/exgate/runtime/gateway"
)

// controlTopic is the default of upstream.control_topic.
const controlTopic = "exgate/control"

// nothing is the message of a gateway without devices.
var nothing = []byte(`{"node":"","claims":[]}`)

// control checks whether the gateway may use the topics on which gateways announce their devices.
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
		{"publish to", claims, func(done gateway.Done) { s.Publish(claims, 1, nothing, nil, done) }},
	} {
		if r := await(ctx, try.call); !r.Ok() {
			findings = append(findings, v.problem("upstream.control_topic",
				"the broker at %[3]s does not let the gateway %[1]s %[2]s (%[4]s): allow %[5]s/# there, or "+
					"change the topic",
				try.what, try.topic, v.address, r.Message, topic))
		}
	}
	return findings
}

// await returns the result of a session call.
func await(ctx context.Context, call func(gateway.Done)) gateway.Result {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	result := make(chan gateway.Result, 1)
	call(func(r gateway.Result) { result <- r })
	select {
	case r := <-result:
		return r
	case <-ctx.Done():
		return gateway.Refuse(gateway.CodeUnknown, "no answer within %s", patience)
	}
}
