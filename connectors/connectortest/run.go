package connectortest

import (
	"context"
	"testing"
)

// Run checks that the connector of target fulfills the contract of [gateway.Connector].
func Run(t *testing.T, target Target) {
	f := &fixture{Target: target, connector: target.New(t)}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := f.connector.Close(ctx); err != nil {
			t.Errorf("closing the connector: %v", err)
		}
	})
	for _, c := range f.cases() {
		t.Run(c.name, c.run)
	}
}

type testCase struct {
	name string
	run  func(t *testing.T)
}

func (f *fixture) cases() []testCase {
	cases := []testCase{
		{"connect", f.testConnect},
		{"publish results", f.testPublishResults},
		{"subscribe results", f.testSubscribeResults},
		{"delivery", f.testDelivery},
		{"qos", f.testQoS},
		{"own publishes", f.testOwnPublishes},
		{"wildcards", f.testWildcards},
		{"shared subscription", f.testShared},
		{"unsubscribe", f.testUnsubscribe},
		{"unsubscribe unknown", f.testUnsubscribeUnknown},
		{"empty payload", f.testEmptyPayload},
		{"large payload", f.testLargePayload},
		{"payload is the caller's", f.testPayloadReuse},
		{"order", f.testOrder},
		{"concurrent use", f.testConcurrent},
		{"takeover", f.testTakeover},
		{"close", f.testClose},
		{"close completes calls", f.testCloseCompletes},
		{"nil done", f.testNilDone},
		{"bad arguments", f.testBadArguments},
		{"bad strings", f.testBadStrings},
		{"properties", f.testProperties},
	}
	if f.WrongPassword != "" {
		cases = append(cases, testCase{"wrong password", f.testWrongPassword})
	}
	if f.DeniedTopic != "" {
		cases = append(cases, testCase{"denied publish", f.testDeniedPublish},
			testCase{"denied subscribe", f.testDeniedSubscribe})
	}
	if f.Retain != nil {
		cases = append(cases, testCase{"retained", f.testRetained})
	}
	return cases
}
