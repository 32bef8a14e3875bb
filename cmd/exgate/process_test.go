package main

import (
	"bufio"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// ready matches the line after which exgate run, exgate sub or exgate capture is ready.
var ready = regexp.MustCompile(`^(Press Ctrl-C to stop|subscribed to |waiting for new connections )`)

// socketLine matches what exgate run prints about a socket.
var socketLine = regexp.MustCompile(`(?m)^  (\w+) +(?:tcp|mqtt|grpc|http) +(\S+)`)

// process is a background program.
type process struct {
	cmd     *exec.Cmd
	started chan struct{} // closed at the line that ready matches
	once    sync.Once
	ended   chan struct{} // closed when the program has exited and its output has been read

	mu     sync.Mutex // guards output
	output map[string]*strings.Builder
}

func start(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 2)
	program, err := exec.LookPath(args[1])
	ts.Check(err)
	p := &process{
		cmd: exec.Command(program, args[2:]...), started: make(chan struct{}), ended: make(chan struct{}),
		output: map[string]*strings.Builder{"stdout": {}, "stderr": {}},
	}
	p.cmd.Dir = ts.MkAbs(".")
	p.cmd.Env = environ(ts)
	ts.Check(p.start())
	sceneOf(ts).processes[args[0]] = p
	select {
	case <-p.started:
	case <-p.ended:
		ts.Fatalf("%s ended: %s", args[0], p.text("stderr"))
	case <-time.After(patience):
		ts.Fatalf("%s is not ready: %s", args[0], p.text("stderr"))
	}
	for _, found := range socketLine.FindAllStringSubmatch(p.text("stdout"), -1) {
		ts.Setenv(strings.ToUpper(found[1]), strings.Replace(found[2], "[::]", "127.0.0.1", 1))
	}
}

// passedOn lists the variables of a script that its processes inherit.
var passedOn = []string{
	"PATH", "HOME", "XDG_CACHE_HOME", "GOCOVERDIR", "EXGATE_PASSWORD", "EXGATE_LISTENERS__DEMO__BIND",
	"EXGATE_UPSTREAM__EMBEDDED__BIND",
}

func environ(ts *testscript.TestScript) []string {
	var env []string
	for _, name := range passedOn {
		if value := ts.Getenv(name); value != "" {
			env = append(env, name+"="+value)
		}
	}
	return env
}

func (p *process) start() error {
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		return err
	}
	stderr, err := p.cmd.StderrPipe()
	if err != nil {
		return err
	}
	if err := p.cmd.Start(); err != nil {
		return err
	}
	var readers sync.WaitGroup
	readers.Go(func() { p.read(stdout, "stdout") })
	readers.Go(func() { p.read(stderr, "stderr") })
	go func() {
		defer close(p.ended)
		readers.Wait()
		_ = p.cmd.Wait()
	}()
	return nil
}

func (p *process) read(from io.Reader, stream string) {
	for lines := bufio.NewScanner(from); lines.Scan(); {
		p.mu.Lock()
		p.output[stream].WriteString(lines.Text() + "\n")
		p.mu.Unlock()
		if ready.MatchString(lines.Text()) {
			p.once.Do(func() { close(p.started) })
		}
	}
}

func (p *process) text(stream string) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.output[stream].String()
}

func signalProcess(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 2)
	ts.Check(sceneOf(ts).processes[args[0]].cmd.Process.Signal(signals[args[1]]))
}

func logs(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 2)
	p := sceneOf(ts).processes[args[0]]
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if strings.Contains(p.text("stderr"), args[1]) {
			return
		}
	}
	ts.Fatalf("%s does not log %q: %s", args[0], args[1], p.text("stderr"))
}

func endProcess(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 2)
	name, code := args[0], args[len(args)-1]
	s := sceneOf(ts)
	p := s.processes[name]
	for _, signal := range args[1 : len(args)-1] {
		ts.Check(p.cmd.Process.Signal(signals[signal]))
	}
	select {
	case <-p.ended:
	case <-time.After(patience):
		ts.Fatalf("%s does not end: %s", name, p.text("stderr"))
	}
	delete(s.processes, name)
	for _, stream := range []string{"stdout", "stderr"} {
		ts.Check(os.WriteFile(ts.MkAbs(name+"."+stream), []byte(p.text(stream)), 0o600))
	}
	if got := strconv.Itoa(p.cmd.ProcessState.ExitCode()); got != code {
		ts.Fatalf("%s: exit code %s, want %s: %s", name, got, code, p.text("stderr"))
	}
}
