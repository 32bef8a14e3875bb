package connectortest

import (
	"testing"

	"github.com/exgate/exgate/runtime/gateway"
)

func (f *fixture) testConnect(t *testing.T) {
	_, d := f.connect(t, unique("client"))
	if n := d.Losses(); n != 0 {
		t.Fatalf("a new session was lost %d times", n)
	}
}

func (f *fixture) testWrongPassword(t *testing.T) {
	_, err := f.dial(t, unique("client"), f.WrongPassword, NewDevice())
	r := refusal(t, err)
	wantCode(t, "connecting with the wrong password", r, gateway.CodePermissionDeny)
}

func (f *fixture) testPublishResults(t *testing.T) {
	s, _ := f.connect(t, unique("client"))
	for qos := byte(0); qos <= 2; qos++ {
		wantOK(t, "publishing without a subscriber", Publish(t, s, unique("nobody"), qos, "x"))
	}
}

func (f *fixture) testSubscribeResults(t *testing.T) {
	s, _ := f.connect(t, unique("client"))
	filter := unique("filter")
	for qos := byte(0); qos <= 2; qos++ {
		wantOK(t, "subscribing", Subscribe(t, s, filter, qos))
	}
}

func (f *fixture) testUnsubscribe(t *testing.T) {
	s, d := f.connect(t, unique("client"))
	topic, fence := unique("topic"), unique("fence")
	wantOK(t, "subscribing", Subscribe(t, s, topic, 0))
	wantOK(t, "subscribing", Subscribe(t, s, fence, 0))
	wantOK(t, "unsubscribing", Unsubscribe(t, s, topic))
	wantOK(t, "publishing", Publish(t, s, topic, 1, "unwanted"))
	wantOK(t, "publishing", Publish(t, s, fence, 1, "wanted"))
	if m := d.Next(t); m.Topic != fence {
		t.Fatalf("got a message of %q after unsubscribing", m.Topic)
	}
}

func (f *fixture) testUnsubscribeUnknown(t *testing.T) {
	s, _ := f.connect(t, unique("client"))
	wantOK(t, "unsubscribing an unknown filter", Unsubscribe(t, s, unique("unknown")))
}

func (f *fixture) testDeniedPublish(t *testing.T) {
	s, _ := f.connect(t, unique("client"))
	for qos := byte(1); qos <= 2; qos++ {
		wantCode(t, "publishing a denied topic", Publish(t, s, f.DeniedTopic, qos, "x"), gateway.CodePermissionDeny)
	}
	wantOK(t, "publishing after a refusal", Publish(t, s, unique("topic"), 1, "x"))
}

func (f *fixture) testDeniedSubscribe(t *testing.T) {
	s, d := f.connect(t, unique("client"))
	wantCode(t, "subscribing a denied topic", Subscribe(t, s, f.DeniedTopic, 1), gateway.CodePermissionDeny)
	topic := unique("topic")
	wantOK(t, "subscribing after a refusal", Subscribe(t, s, topic, 0))
	wantOK(t, "publishing after a refusal", Publish(t, s, topic, 1, "x"))
	if m := d.Next(t); m.Topic != topic {
		t.Fatalf("got a message of %q", m.Topic)
	}
}

func (f *fixture) testBadArguments(t *testing.T) {
	s, _ := f.connect(t, unique("client"))
	for _, topic := range []string{"", "a/+/b", "a/#", "nul\x00", "bad\xff"} {
		wantCode(t, "publishing "+topic, Publish(t, s, topic, 0, "x"), gateway.CodeParamsTypeError)
	}
	for _, filter := range []string{"", "a/#/b", "a+", "$share/g", "nul\x00", "bad\xff"} {
		wantCode(t, "subscribing "+filter, Subscribe(t, s, filter, 0), gateway.CodeParamsTypeError)
	}
	wantCode(t, "publishing with QoS 3", Publish(t, s, "a", 3, "x"), gateway.CodeParamsTypeError)
	wantCode(t, "subscribing with QoS 3", Subscribe(t, s, "a", 3), gateway.CodeParamsTypeError)
	wantOK(t, "publishing after refusals", Publish(t, s, unique("topic"), 1, "x"))
}

func (f *fixture) testNilDone(t *testing.T) {
	s, d := f.connect(t, unique("client"))
	topic := unique("topic")
	s.Subscribe(topic, 0, nil)
	s.Subscribe("a/#/b", 0, nil)
	wantOK(t, "subscribing", Subscribe(t, s, topic, 0))
	s.Publish(topic, 0, []byte("zero"), nil, nil)
	s.Publish(topic, 1, []byte("one"), nil, nil)
	d.AwaitUnread(t, 2)
	s.Unsubscribe(topic, nil)
}
