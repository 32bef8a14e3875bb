package chaos

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/exgate/exgate/connectors/connectortest/mosquitto"
	"github.com/exgate/exgate/connectors/connectortest/program"
	"github.com/exgate/exgate/runtime/gateway/gatewaytest"
)

const (
	honest      = 200 // devices
	troubleTime = 12 * time.Second
)

// TestAllAtOnce runs a device that makes its module trap, six for whose calls the broker ends the connection, one that
// publishes in bursts, half-open connections and a full disk at once, beside honest devices. These have each of their
// messages acknowledged once, in order, and keep their connections.
func TestAllAtOnce(t *testing.T) {
	eachMode(t, func(t *testing.T, m mode) {
		b := mosquitto.Start(t, mosquitto.Options{})
		ledger := subscribe(t, b, honest)
		picky := startPickyProxy(t, b.Addr())
		g, disk := startOnSmallDisk(t, "mqtt://"+picky.address, m)

		var over atomic.Bool
		var honestDevices, offenders sync.WaitGroup
		var refused atomic.Int64
		acknowledged := make([]int, honest) // messages of each device; read after honestDevices
		for i := range honest {
			honestDevices.Go(func() {
				n, again, err := workHonestly(g.devices, i, &over)
				if err != nil {
					t.Errorf("honest device %d, at message %d: %v", i, n, err)
				}
				acknowledged[i] = n
				refused.Add(int64(again))
			})
		}
		gatewaytest.Eventually(t, "the honest devices to publish", func() bool { return ledger.devices() == honest })

		end := time.Now().Add(troubleTime)
		offend := func(what func(attempt int) error) {
			offenders.Go(func() {
				for n := 0; !over.Load(); n++ {
					_ = what(n) // the gateway may close or refuse an offender at any time
					time.Sleep(retryPause)
				}
			})
		}
		offend(func(int) error { return trap(g.trapping) })
		for i, p := range poisons {
			source := fmt.Sprintf("127.0.0.%d", 10+i)
			offend(func(attempt int) error { return p.offend(source, g.devices, attempt, end) })
		}
		offend(func(int) error { return publishBurst(g.devices) })
		offend(func(int) error { return openHalf(g.devices) })

		time.Sleep(troubleTime / 3) // the offenders' time; nothing is awaited
		disk.fill(t)
		time.Sleep(troubleTime / 3)
		disk.free(t)
		time.Sleep(troubleTime / 3)
		over.Store(true)
		honestDevices.Wait()
		offenders.Wait()
		sent := 0
		for _, n := range acknowledged {
			sent += n
		}
		t.Logf("%d messages, %d refusals of them before; the broker ended %d connections", sent, refused.Load(),
			picky.ended.Load())
		defer func() {
			if t.Failed() {
				ledger.missing(t, acknowledged)
			}
		}()
		ledger.check(t, sent, int(picky.ended.Load()))
		if n := g.metric("exgate_connections_closed_total", "guest_trap"); n == 0 {
			t.Error("no module trapped")
		}
		// With shared connections, one poison may keep another from the broker for as long as this takes.
		if n := picky.kinds(); n < len(poisons)/2 {
			t.Errorf("the broker ended connections for %d kinds of poison", n)
		}
	})
}

// workHonestly publishes numbered messages of QoS 1 over one connection until over, and returns how many were
// acknowledged and how many were refused first, because the disk was full.
func workHonestly(address string, i int, over *atomic.Bool) (n, refused int, err error) {
	d, err := login(address, "honest"+strconv.Itoa(i))
	if err != nil {
		return 0, 0, err
	}
	defer d.Close()
	for n < 1 || !over.Load() {
		switch err := d.ask(fmt.Sprintf("pub1 %s %d", topicOf(i), n)); {
		case errors.Is(err, errRefused) && refused < 1000:
			refused++
		case err != nil:
			return n, refused, err
		default:
			n++
		}
		time.Sleep(retryPause)
	}
	return n, refused, nil
}

// trap sends the input that makes the probe trap, and waits until the gateway closes the connection.
func trap(address string) error {
	return offendFrom("127.0.0.2", address, "trap\n", time.Second)
}

// publishBurst publishes as much as fits into the socket at once.
func publishBurst(address string) error {
	return offendFrom("127.0.0.4", address, "login burst\n"+strings.Repeat("pub burst x\n", 20000), time.Second)
}

// openHalf opens connections that say nothing.
func openHalf(address string) error {
	for range 50 {
		if err := offendFrom("127.0.0.5", address, "", 0); err != nil {
			return err
		}
	}
	return nil
}

// offendFrom connects from source, sends text, and reads until the gateway closes the connection or so much time has
// passed.
func offendFrom(source, address, text string, patience time.Duration) error {
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(source)}, Timeout: time.Second}
	conn, err := dialer.Dial("tcp", address)
	if err != nil {
		return err
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(patience))
	if text == "" {
		return nil
	}
	var group sync.WaitGroup
	group.Go(func() { _, _ = io.Copy(io.Discard, conn) })
	_, err = io.WriteString(conn, text)
	group.Wait()
	return err
}

// smallDisk is a file system of the gateway's mount namespace that can be filled. folder is where the test sees it.
type smallDisk struct{ folder string }

const diskSize = "24m"

// mountAndRun mounts a small file system at $1 and becomes the program in the rest of its arguments.
const mountAndRun = `mount -t tmpfs -o size=` + diskSize + ` tmpfs "$1" && shift && exec "$@"`

// startOnSmallDisk runs a gateway in a mount namespace of its own, with its spool on a small disk, and two listeners:
// one with the line protocol, and one with the probe, which traps on request.
func startOnSmallDisk(t *testing.T, broker string, m mode) (*exgate, smallDisk) {
	t.Helper()
	if out, err := exec.Command("unshare", "-rm", "sh", "-c",
		"mount -t tmpfs tmpfs /mnt").CombinedOutput(); err != nil {
		program.Missing(t, "no file system can be mounted in a user namespace: %v %s", err, out)
	}
	path, err := built()
	if err != nil {
		t.Fatal(err)
	}
	g := &exgate{
		t: t, folder: t.TempDir(),
		devices: gatewaytest.FreeAddress(t), trapping: gatewaytest.FreeAddress(t), metrics: gatewaytest.FreeAddress(t),
	}
	disk := filepath.Join(g.folder, "disk")
	if err := os.Mkdir(disk, 0o700); err != nil {
		t.Fatal(err)
	}
	probe, err := filepath.Abs("../../../../hostabi/sdk/c/probe/probe.wasm")
	if err != nil {
		t.Fatal(err)
	}
	text := fmt.Sprintf(configuration, "chaos", filepath.Join(workshop, "modules"), g.metrics, broker,
		"\n  spool: {folder: "+filepath.Join(disk, "spool")+", drain_rate: 100000}"+
			"\n  device_status: {topic: \"status/${clientid}\"}\n  reconnect_delay: 200ms"+m.settings, g.devices,
		"builtin:line", "") +
		fmt.Sprintf("  probe: {bind: %q, handler: {wasm: %q}}\n", g.trapping, probe)
	if err := os.WriteFile(g.file(), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(g.finish)
	cmd := exec.Command("unshare", "-rm", "sh", "-c", mountAndRun, "sh", disk, path, "run", "-c", g.file())
	if err := g.process.Run(cmd, patience, g.devices, g.trapping); err != nil {
		t.Fatalf("starting exgate: %v\n%s", err, &g.process.Log)
	}
	return g, smallDisk{fmt.Sprintf("/proc/%d/root%s", g.process.PID(), disk)}
}

func (d smallDisk) filler() string { return filepath.Join(d.folder, "filler") }

func (d smallDisk) fill(t *testing.T) {
	t.Helper()
	f, err := os.Create(d.filler())
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	block := make([]byte, 64<<10)
	for len(block) > 0 {
		if _, err := f.Write(block); err != nil {
			block = block[:len(block)/2]
		}
	}
}

func (d smallDisk) free(t *testing.T) {
	t.Helper()
	if err := os.Remove(d.filler()); err != nil {
		t.Fatal(err)
	}
}
