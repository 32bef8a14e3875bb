package chaos

import (
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/exgate/exgate/connectors/connectortest/mosquitto"
)

// TestStateSurvivesKills kills gateways under devices whose handler saves numbers. Whatever was acknowledged last, or
// was saved after it, is there at each login, also at the other gateway of a fleet.
func TestStateSurvivesKills(t *testing.T) {
	t.Run("local", func(t *testing.T) { testState(t, 1, "\n  state: local\n  state_folder: state") })
	t.Run("broker", func(t *testing.T) { testState(t, 2, "\n  state: broker") })
}

func testState(t *testing.T, gateways int, settings string) {
	module, err := filepath.Abs("../../../../hostabi/sdk/c/probe/probe.wasm")
	if err != nil {
		t.Fatal(err)
	}
	devices := 1000
	if raceEnabled || testing.Short() {
		devices = 100
	}
	b := mosquitto.Start(t, mosquitto.Options{})
	f := &keepers{t: t}
	var all []*exgate
	for i := range gateways {
		g := startGatewayWith(t, b, fmt.Sprintf("chaos%d", i), module, settings, "\n    limits: {auth_timeout: 30s}")
		all, f.addresses = append(all, g), append(f.addresses, g.devices)
	}
	begun := time.Now()
	var group sync.WaitGroup
	for i := range devices {
		k := &keeper{keepers: f, id: "k" + strconv.Itoa(i), at: i}
		f.all = append(f.all, k)
		group.Go(k.run)
	}
	const kills = 5
	for i := range kills {
		f.await(int64((i + 1) * devices))
		g := all[i%len(all)]
		g.process.Kill()
		g.run()
	}
	f.await((kills + 1) * int64(devices))
	f.stop.Store(true)
	group.Wait()
	for _, k := range f.all { // everyone once more
		group.Go(func() {
			if c := k.connect(); c != nil {
				_ = c.Close()
			}
		})
	}
	group.Wait()
	t.Logf("%d states saved by %d devices, %d logins, %d kills, %.1f s", f.saved.Load(), devices, f.logins.Load(),
		kills, time.Since(begun).Seconds())
}

// keepers are all devices of a test.
type keepers struct {
	t         *testing.T
	addresses []string
	all       []*keeper
	stop      atomic.Bool
	saved     atomic.Int64 // acknowledged
	logins    atomic.Int64
}

// await waits until as many saves are acknowledged.
func (f *keepers) await(saves int64) {
	f.t.Helper()
	for deadline := time.Now().Add(patience); f.saved.Load() < saves; time.Sleep(retryPause) {
		if f.t.Failed() || time.Now().After(deadline) {
			f.stop.Store(true)
			f.t.Fatalf("%d of %d saves are acknowledged", f.saved.Load(), saves)
		}
	}
}

// keeper is a device that saves numbers, two for each connection.
type keeper struct {
	*keepers
	id    string
	at    int // the gateway that it connects to next
	asked int // the last number
	acked int // the last number that was acknowledged
}

func (k *keeper) run() {
	for !k.stop.Load() {
		c := k.connect()
		if c == nil {
			continue
		}
		for range 2 {
			k.asked++
			if c.write(fmt.Sprintf("save %d\n", k.asked)) != nil {
				break
			}
			line, err := c.read()
			if err != nil {
				break
			}
			if line == "result 5 0" {
				k.acked = k.asked
				k.saved.Add(1)
			}
		}
		_ = c.Close()
	}
}

// connect logs in and checks the state that comes with it. It returns nil once a check has failed.
func (k *keeper) connect() *device {
	for deadline := time.Now().Add(patience); !k.t.Failed(); time.Sleep(retryPause) {
		c, kept, err := k.login()
		if err == nil {
			if kept < k.acked || kept > k.asked {
				k.t.Errorf("%s got %d, after %d was acknowledged and %d saved", k.id, kept, k.acked, k.asked)
			}
			k.logins.Add(1)
			return c
		}
		if time.Now().After(deadline) {
			k.t.Errorf("%s cannot log in: %v", k.id, err)
		}
	}
	return nil
}

func (k *keeper) login() (c *device, kept int, err error) {
	address := k.addresses[k.at%len(k.addresses)]
	k.at++
	if c, err = dial(address); err != nil {
		return nil, 0, err
	}
	if err = c.write("auth " + k.id + "\n"); err == nil {
		kept, err = k.state(c)
	}
	if err != nil {
		_ = c.Close()
		return nil, 0, err
	}
	return c, kept, nil
}

// state reads the result of the login and the number that came with it.
func (k *keeper) state(c *device) (kept int, err error) {
	if line, err := c.read(); err != nil || line != "result 1 0" {
		return 0, errors.Join(err, fmt.Errorf("%w: %q", errRefused, line))
	}
	if err := c.write("echo .\n"); err != nil {
		return 0, err
	}
	for {
		line, err := c.read()
		if err != nil || line == "." {
			return kept, err
		}
		if kept, err = strconv.Atoi(strings.TrimPrefix(line, "kept ")); err != nil {
			return 0, err
		}
	}
}
