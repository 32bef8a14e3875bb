package backend

import (
	"context"
	"encoding/binary"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// Calls enter in the order of their tickets, limited by the lowest bound, and a refused call goes before those that
// came later.
func TestGateOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate()
		g.setShare(2)
		var a, b, c, d Ticket
		if !g.TryEnter(&a) || !g.TryEnter(&b) || g.TryEnter(&c) {
			t.Fatal("not two entered")
		}
		var mu sync.Mutex
		var entered []string
		wait := func(name string, ticket *Ticket) {
			go func() {
				if g.Enter(t.Context(), ticket) == nil {
					mu.Lock()
					defer mu.Unlock()
					entered = append(entered, name)
				}
			}()
			synctest.Wait()
		}
		wait("c", &c)
		wait("d", &d)
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			if g.Enter(ctx, new(Ticket)) == nil {
				t.Error("it entered after it had left")
			}
		}()
		synctest.Wait()
		cancel()
		g.Leave(true) // a: one is left inside, so one may be
		wait("a", &a)
		// b leaves, and a second one is tried with a; then these leave
		for _, want := range []string{"ac", "acd", "acd"} {
			g.Leave(false)
			synctest.Wait()
			mu.Lock()
			slices.Sort(entered)
			if got := strings.Join(entered, ""); got != want {
				t.Errorf("%s entered, want %s", got, want)
			}
			mu.Unlock()
		}
	})
}

// The limit of a server that sends none is learned from its refusals, and raised when it accepts more.
func TestGateLearnsFromRefusals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate()
		const calls, takes = 200, 7
		open, refused, served := 0, 0, 0
		var mu sync.Mutex
		var all sync.WaitGroup
		for range calls {
			all.Go(func() {
				var ticket Ticket
				for {
					_ = g.Enter(t.Context(), &ticket)
					mu.Lock()
					ok := open < takes
					if ok {
						open++
					} else {
						refused++
					}
					mu.Unlock()
					if ok {
						time.Sleep(250 * time.Millisecond)
						mu.Lock()
						open, served = open-1, served+1
						mu.Unlock()
						g.Leave(false)
						return
					}
					g.Leave(true)
					time.Sleep(10 * time.Millisecond)
				}
			})
		}
		all.Wait()
		if served != calls || refused > 2*calls {
			t.Errorf("%d of %d calls were served, %d refusals", served, calls, refused)
		}
	})
}

func TestGateKeepsHalfOfTheStreamsForCalls(t *testing.T) {
	g := newGate()
	for streams, want := range map[uint32]int{0: 0, 1: 0, 2: 1, 5: 2, 100: 50} {
		g.learn(streams)
		var release []func()
		for {
			r, ok := g.Keep()
			if !ok {
				break
			}
			release = append(release, r)
		}
		if len(release) != want || g.most() < 1 {
			t.Errorf("%d of %d streams stay open, %d calls at a time", len(release), streams, g.most())
		}
		for _, r := range release {
			r()
		}
	}
}

func frame(kind, flags byte, payload []byte) []byte {
	h := []byte{byte(len(payload) >> 16), byte(len(payload) >> 8), byte(len(payload)), kind, flags, 0, 0, 0, 0}
	return append(h, payload...)
}

func setting(id uint16, value uint32) []byte {
	return binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint16(nil, id), value)
}

// The limit of streams is read from SETTINGS however the data is split, and from nothing else.
func TestSettingsAreRead(t *testing.T) {
	var said []byte
	said = append(said, frame(frameSettings, 0, nil)...)
	said = append(said, frame(frameSettings, flagAck, nil)...)
	said = append(said, frame(0, 0, setting(settingMaxStreams, 1))...)
	said = append(said, frame(frameSettings, 0, append(setting(5, 9), setting(settingMaxStreams, 100)...))...)
	said = append(said, frame(1, 4, make([]byte, 70_000))...)
	said = append(said, frame(frameSettings, 0, setting(5, 9))...)
	said = append(said, frame(frameSettings, 0, setting(settingMaxStreams, 3))...)
	for _, step := range []int{1, 2, 9, 10, 13, 4096, len(said)} {
		var got []uint32
		f := frames{learned: func(n uint32) { got = append(got, n) }}
		for rest := said; len(rest) > 0; rest = rest[min(step, len(rest)):] {
			f.scan(rest[:min(step, len(rest))])
		}
		if len(got) != 3 || got[0] != unlimited || got[1] != 100 || got[2] != 3 {
			t.Errorf("in steps of %d: %d", step, got)
		}
	}
}

func FuzzSettings(f *testing.F) {
	f.Add(frame(frameSettings, 0, setting(settingMaxStreams, 100)))
	f.Add([]byte{0xff, 0xff, 0xff, frameSettings, 0, 0, 0, 0, 0, 1})
	f.Fuzz(func(t *testing.T, said []byte) {
		s := frames{learned: func(uint32) {}}
		s.scan(said)
		if len(s.settings) > maxSettingsPayload {
			t.Errorf("%d bytes are kept", len(s.settings))
		}
	})
}
