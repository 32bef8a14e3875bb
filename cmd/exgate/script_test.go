package main

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// patience bounds every wait of a script.
const patience = 90 * time.Second

// scene is the set of processes of a script.
type scene struct {
	processes map[string]*process
	devices   map[string]*device
	occupied  []net.Listener
}

type sceneKey struct{}

type device struct {
	conn  net.Conn
	lines *bufio.Reader
}

func newScene() *scene {
	return &scene{processes: map[string]*process{}, devices: map[string]*device{}}
}

func (s *scene) end() {
	for _, d := range s.devices {
		_ = d.conn.Close()
	}
	for _, l := range s.occupied {
		_ = l.Close()
	}
	for _, p := range s.processes {
		_ = p.cmd.Process.Kill()
		<-p.ended
	}
}

// scriptCommands are:
//
//	fails CODE PROGRAM ARGS...      runs the program, which must exit with CODE
//	start NAME PROGRAM ARGS...      starts it and waits until it is ready; sets a variable for each socket
//	end NAME SIGNAL... CODE        sends the signals and waits for the exit code; writes NAME.stdout and NAME.stderr
//	signal NAME SIGNAL             sends a signal
//	logs NAME TEXT                 waits until its standard error output contains TEXT
//	dial NAME ADDRESS               connects a device
//	type NAME TEXT                  sends a line
//	see NAME TEXT                   waits for a line that contains TEXT; - is the end of the connection
//	get ADDRESS PATH TEXT           asks for a page over HTTP until its status line or body contains TEXT
//	occupy NAME                     listens at a free address, which the variable NAME then has
func scriptCommands() map[string]func(*testscript.TestScript, bool, []string) {
	return map[string]func(*testscript.TestScript, bool, []string){
		"fails": fails, "start": start, "end": endProcess, "signal": signalProcess, "logs": logs, "get": get,
		"dial": dial, "type": typeLine, "see": see, "occupy": occupy,
	}
}

func sceneOf(ts *testscript.TestScript) *scene { return ts.Value(sceneKey{}).(*scene) }

func want(ts *testscript.TestScript, neg bool, args []string, atLeast int) {
	if neg || len(args) < atLeast {
		ts.Fatalf("bad use of a command, see scriptCommands")
	}
}

func fails(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 2)
	err := ts.Exec(args[1], args[2:]...)
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		ts.Fatalf("%s did not fail: %v", args[1], err)
	}
	if got := strconv.Itoa(exit.ExitCode()); got != args[0] {
		ts.Fatalf("exit code %s, want %s", got, args[0])
	}
}

func dial(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 2)
	c, err := net.DialTimeout("tcp", args[1], patience)
	ts.Check(err)
	ts.Check(c.SetDeadline(time.Now().Add(patience)))
	sceneOf(ts).devices[args[0]] = &device{conn: c, lines: bufio.NewReader(c)}
}

func typeLine(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 2)
	_, err := sceneOf(ts).devices[args[0]].conn.Write([]byte(args[1] + "\n"))
	ts.Check(err)
}

func see(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 2)
	d := sceneOf(ts).devices[args[0]]
	for {
		line, err := d.lines.ReadString('\n')
		switch {
		case err != nil && args[1] == "-" && !errors.Is(err, os.ErrDeadlineExceeded):
			return
		case err != nil:
			ts.Fatalf("waiting for %q: %v", args[1], err)
		case args[1] != "-" && strings.Contains(line, args[1]):
			return
		}
	}
}

func get(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 3)
	var page string
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		page = pageAt(ts, "http://"+args[0]+args[1])
		if strings.Contains(page, args[2]) {
			return
		}
	}
	ts.Fatalf("%s does not come: %s", args[2], page)
}

func pageAt(ts *testscript.TestScript, url string) string {
	client := http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Get(url)
	ts.Check(err)
	body, err := io.ReadAll(response.Body)
	ts.Check(errors.Join(err, response.Body.Close()))
	return response.Status + "\n" + string(body)
}

func occupy(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 1)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	s := sceneOf(ts)
	s.occupied = append(s.occupied, l)
	ts.Setenv(args[0], l.Addr().String())
}

var signals = map[string]os.Signal{
	"TERM": syscall.SIGTERM, "INT": syscall.SIGINT, "HUP": syscall.SIGHUP,
	"USR1": syscall.SIGUSR1,
}
