package remote_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/exgate/exgate/proto/exproto"
	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/gateway/gatewaytest"
	"github.com/exgate/exgate/runtime/remote"
)

func TestRawPublishTopics(t *testing.T) {
	for _, test := range []struct{ filters, allowed, denied string }{
		{"", "a $SYS/x a/b", ""},
		{"a/b", "a/b", "a a/b/c a/B /a/b a/b/"},
		{"a/#", "a a/b a/b/c a/", "b ab"},
		{"a/+", "a/b a/", "a a/b/c"},
		{"+/b", "a/b /b", "$x/b b a/c"},
		{"#", "a a/b /", "$SYS $SYS/x"},
		{"$SYS/#", "$SYS $SYS/x", "SYS/x $SYSx"},
		{"x,y/+", "x y/1", "y z"},
	} {
		d := newDevice("c1")
		var filters []string
		if test.filters != "" {
			filters = strings.Split(test.filters, ",")
		}
		_, a := opened(t, d, remote.AdapterConfig{RawPublisher: d, RawPublishTopics: filters})
		ask := func(topic string) string {
			r, err := a.RawPublish(t.Context(), &exproto.RawPublishRequest{Topic: topic})
			must(t, err)
			return r.GetCode().String()
		}
		for _, topic := range strings.Fields(test.allowed) {
			expect(t, topic+" with "+test.filters, ask(topic), "SUCCESS")
		}
		for _, topic := range strings.Fields(test.denied) {
			expect(t, topic+" with "+test.filters, ask(topic), "PERMISSION_DENY")
		}
	}
}

func TestRawPublishTopicsThatAreNoFilters(t *testing.T) {
	for _, filter := range []string{"", "a#", "#/a", "a+/b", "$share/g/a"} {
		_, err := remote.NewAdapter(remote.AdapterConfig{RawPublishTopics: []string{"fine/#", filter}})
		if err == nil || !strings.Contains(err.Error(), "adapter.raw_publish_topics") ||
			!strings.Contains(err.Error(), fmt.Sprintf("%q", filter)) {
			t.Errorf("%q: %v", filter, err)
		}
	}
}

// Raw publishes that wait for the broker are limited in number and bytes, and each that ends makes room.
func TestRawPublishesUnderWayAreBounded(t *testing.T) {
	d := newDevice("c1")
	d.pending = true
	d.waiting = make(chan gateway.Done, 1000)
	_, address := serveAdapter(t, remote.AdapterConfig{RawPublisher: d})
	a := exproto.NewConnectionAdapterClient(dialAdapter(t, address))
	answers := make(chan *exproto.CodeResponse, 1000)
	begin := func(size int) {
		go func() {
			r, _ := a.RawPublish(context.Background(),
				&exproto.RawPublishRequest{Topic: "t", Payload: make([]byte, size)})
			answers <- r
		}()
	}
	for range 8 {
		begin(8 << 20)
	}
	gatewaytest.Eventually(t, "64 MiB under way", func() bool { return len(d.waiting) == 8 })
	begin(1)
	if r := <-answers; !strings.Contains(r.GetMessage(), "too many raw publishes") {
		t.Errorf("64 MiB and a byte: %v", r)
	}
	for range 8 {
		(<-d.waiting)(gateway.OK)
		expect(t, "answer", (<-answers).GetCode().String(), "SUCCESS")
	}
	for range 1000 {
		begin(0)
	}
	gatewaytest.Eventually(t, "1000 under way", func() bool { return len(d.waiting) == 1000 })
	a = exproto.NewConnectionAdapterClient(dialAdapter(t, address)) // the other connection has 1000 calls
	begin(0)
	expect(t, "one more", (<-answers).GetCode().String(), "UNKNOWN")
	for range 1000 {
		(<-d.waiting)(gateway.OK)
		<-answers
	}
	begin(0)
	(<-d.waiting)(gateway.OK)
	expect(t, "afterwards", (<-answers).GetCode().String(), "SUCCESS")
}
