package doctor

import (
	"cmp"
	"context"

	"github.com/exgate/exgate/cmd/exgate/internal/config"
	"github.com/exgate/exgate/runtime/gateway"
)

// state checks whether the gateway may use the topics of the devices' states. It publishes an empty message, which is
// not retained, to a topic of its own.
func (v *visitor) state(ctx context.Context, s gateway.Session) []Finding {
	below := cmp.Or(v.cfg.Upstream.StateTopic, config.StateTopic)
	topic := below + "/exgate-doctor/" + v.cfg.Node
	var findings []Finding
	for _, try := range []struct {
		what string
		call func(done gateway.Done)
	}{
		{"subscribe to", func(done gateway.Done) { s.Subscribe(topic, 1, done) }},
		{"publish to", func(done gateway.Done) { s.Publish(topic, 1, nil, nil, done) }},
	} {
		if r := await(ctx, try.call); !r.Ok() {
			findings = append(findings, v.problem("upstream.state_topic",
				"the broker at %[3]s does not let the gateway %[1]s %[2]s (%[4]s): allow %[5]s/# there, or "+
					"change the topic", try.what, topic, v.address, r.Message, below))
		}
	}
	return findings
}
