package gatewaytest

import (
	"slices"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
)

// Metric returns the sum of the counters, gauges and histogram counts of a name that have all of these label values, or
// 0 if there are none.
func Metric(t testing.TB, counts prometheus.Gatherer, name string, values ...string) (sum float64) {
	t.Helper()
	families, err := counts.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() == name && hasValues(m.GetLabel(), values) {
				sum += m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
			}
		}
	}
	return sum
}

func hasValues(labels []*dto.LabelPair, values []string) bool {
	for _, v := range values {
		if !slices.ContainsFunc(labels, func(l *dto.LabelPair) bool { return l.GetValue() == v }) {
			return false
		}
	}
	return true
}
