package civil_test

import (
	"testing"
	"time"

	"github.com/exgate/exgate/hostabi/sdk/go/civil"
)

func check(t *testing.T, seconds int64, offset int) {
	t.Helper()
	want := time.Unix(seconds, 0).In(time.FixedZone("", offset))
	got, ok := civil.FromUnix(seconds, offset)
	if ok != (want.Year() >= 1 && want.Year() <= 9999) {
		t.Fatalf("%d %d: ok is %v", seconds, offset, ok)
	}
	if !ok {
		return
	}
	if got != (civil.Time{want.Year(), int(want.Month()), want.Day(), want.Hour(), want.Minute(), want.Second()}) {
		t.Fatalf("%d %d: %+v, want %v", seconds, offset, got, want)
	}
	if back, ok := got.Unix(offset); !ok || back != seconds {
		t.Fatalf("%+v became %d, want %d", got, back, seconds)
	}
	if text := string(got.AppendText(nil, offset)); offset%60 == 0 && text != want.Format(time.RFC3339) {
		t.Fatalf("%s, want %v", text, want)
	}
}

func TestEveryThirdDay(t *testing.T) {
	for day := int64(-719162); day <= 2932896; day += 3 {
		check(t, day*86400+day%86400, 0)
	}
}

func FuzzFromUnix(f *testing.F) {
	f.Add(int64(1709164800), int32(-19800))
	f.Add(int64(253402300799), int32(1))
	f.Fuzz(func(t *testing.T, seconds int64, offset int32) {
		if offset < -86400 || offset > 86400 {
			if _, ok := civil.FromUnix(seconds, int(offset)); ok {
				t.Errorf("the offset %d is accepted", offset)
			}
			return
		}
		check(t, seconds%(1<<40), int(offset))
		if got, ok := civil.FromUnix(seconds, int(offset)); ok && !got.Valid() {
			t.Errorf("%d: %+v", seconds, got)
		}
	})
}

func FuzzFromBCD(f *testing.F) {
	f.Add([]byte{0x24, 0x02, 0x29, 0x12, 0x30, 0x15})
	f.Fuzz(func(t *testing.T, b []byte) {
		if got, ok := civil.FromBCD(b); ok && (!got.Valid() || string(got.AppendBCD(nil)) != string(b)) {
			t.Errorf("%x: %+v", b, got)
		}
	})
}
