package service

import (
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/exgate/exgate/cmd/exgate/internal/config"
	"github.com/exgate/exgate/runtime/listener/admission"
	"github.com/exgate/exgate/runtime/listener/sockets"
)

// TestEverySettingReachesTheListener fills a configuration and looks for fields of the listeners that nothing sets.
func TestEverySettingReachesTheListener(t *testing.T) {
	var cfg config.Listener
	fill(reflect.ValueOf(&cfg).Elem())
	sockets, err := sockets.New(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	l := &listeners{service: &Service{opener: sockets}, cfg: &config.Config{}, metrics: newListenerMetrics(nil)}
	a := new(admission.Admission)
	for _, test := range []struct {
		config any
		unset  []string // no settings
	}{
		{l.tcp("x", cfg, a), []string{"KeepAlive", "Proxy", "Upgrade", "Logger"}},
		{l.tls("x", cfg, a), nil},
		{l.webSocket("x", cfg, a), nil},
		{l.udp("x", cfg, a), []string{"NewPeersPerPrefix", "MaxDatagram", "Logger"}},
		{l.dtls("x", cfg, a), []string{"Logger"}},
	} {
		v := reflect.ValueOf(test.config)
		for i := range v.NumField() {
			field := v.Type().Field(i)
			if field.IsExported() && v.Field(i).IsZero() != slices.Contains(test.unset, field.Name) {
				t.Errorf("%s.%s is %v", v.Type(), field.Name, v.Field(i))
			}
		}
	}
}

// fill sets every field of a struct, and of those in it.
func fill(v reflect.Value) {
	for i := range v.NumField() {
		switch f := v.Field(i); f.Kind() {
		case reflect.Struct:
			fill(f)
		case reflect.String:
			f.SetString("x")
		case reflect.Bool:
			f.SetBool(true)
		case reflect.Float64:
			f.SetFloat(1)
		case reflect.Slice:
			f.Set(reflect.ValueOf([]string{"10.0.0.1"}))
		case reflect.Pointer:
			f.Set(reflect.New(f.Type().Elem()))
		default:
			f.SetInt(int64(time.Second))
		}
	}
}
