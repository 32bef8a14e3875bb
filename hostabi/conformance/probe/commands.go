package probe

import (
	"strings"
	"testing"

	"github.com/exgate/exgate/hostabi"
	"github.com/exgate/exgate/hostabi/guesttest"
)

func (s suite) configuration(t *testing.T) {
	long := strings.Repeat("c", 256)
	for _, config := range []string{"", "greeting: hello\n\xff\x00", long} {
		cfg := s.cfg
		cfg.Config = config
		d := device{guesttest.Load(t, s.module, cfg), t}
		d.Created(conn, hostabi.ConnInfo{})
		d.Sent(conn)
		d.says("config\n", "config "+config+"\n")
	}
	cfg := s.cfg
	cfg.Config = "refuse me"
	if _, code := guesttest.TryLoad(t, s.module, cfg); code == 0 {
		t.Error("init accepts a configuration that says refuse")
	}
}

func (s suite) commands(t *testing.T) {
	d := s.start(t)
	d.says("echo hello\n", "hello\n")
	d.says("echo  two  spaces \n", " two  spaces \n")
	d.says("echo\n", "\n")
	d.says("echo \n", "\n")
	d.says("echo \xff\x00\t\n", "\xff\x00\t\n")
	d.says("\n\r\n", "")
	d.says("echo one\r\necho two\n", "one\ntwo\n")
	d.says("log debug d\nlog info\nlog warn  w \nlog error e e\n", "ok\nok\nok\nok\n")
	d.called(`log -4 "d"
log 0 ""
log 4 " w "
log 8 "e e"`)
	for _, line := range []string{"nothing", "ECHO", "echoes a b", " echo a", " ", "\x00"} {
		d.says(line+"\n", "error command\n")
	}
}

func (s suite) usage(t *testing.T) {
	d := s.start(t)
	for _, line := range []string{
		"auth", "auth ", "auth  user", "auth id ", "auth id  password", "timer", "timer ", "timer x", "timer -1",
		"timer +1", "timer 1x", "timer 1 ", "timer 1 2",
		"timer 4294967296", "timer 99999999999999999999", "timer 00000000001", "alarm", "alarm 1",
		"alarm 1 x", "alarm x 10", "alarm 1 -1", "alarm 1 10 1", "pub", "pub t", "pub  1 x", "pub t x",
		"pub t 1x", "pub t  x", "pubp", "pubp t 1 0 0 - - - -",
		"pubp t 1 x 0 - - - - - p", "pubp t 1 0 -1 - - - - - p", "pubp t 1 0 0  - - - - p", "answer", "answer x",
		"quiet", "quiet t", "sub", "sub f",
		"sub f 1 2", "sub f ", "sub  1", "unsub", "unsub ", "unsub a b", "resume now", "resume ", "log", "log ",
		"log loud x", "log INFO x", "config x", "config ", "state 1",
		"mount", "mount ", "mount a b", "mount " + strings.Repeat("m", 65), "pause 1", "leave 1", "trap ", "trap now",
	} {
		d.says(line+"\n", "error usage\n")
	}
	d.called("")
}

func (s suite) state(t *testing.T) {
	d := s.start(t)
	d.says("state\n\necho a\nnothing\nstate\n", "state 1\na\nerror command\nstate 5\n")
	const other = 3
	d.Created(other, hostabi.ConnInfo{})
	d.Sent(other)
	d.Bytes(other, "state\nmou")
	d.says("mount m/\nst", "ok\n")
	d.Bytes(other, "nt x/\nauth other\n")
	d.says("ate\nframe fixed 5\nabcdelines"+"state\n", "state 7\nok\nframe 6162636465\nok\nstate 9\n")
	d.sends("auth id\n", "", hostabi.ActionPause)
	if got := d.Sent(other); got != "state 1\nok\n" {
		t.Errorf("the other connection was answered %q", got)
	}
	d.called(`authenticate 3 token=1 proto="probe"/"1" clientid="other" username="" mountpoint="x/" password=""
authenticate CONN token=1 proto="probe"/"1" clientid="id" username="" mountpoint="m/" password=""`)
	d.Closed(other, "tcp_closed")
	d.Created(other, hostabi.ConnInfo{})
	d.Sent(other)
	d.Bytes(other, "state\n")
	if got := d.Sent(other); got != "state 1\n" {
		t.Errorf("a new connection with the same number was answered %q", got)
	}
}

func (s suite) lines(t *testing.T) {
	d := s.start(t)
	for _, c := range "echo in pieces\r\n" {
		d.answered("an unfinished line", "")
		d.Bytes(conn, string(c))
	}
	d.answered("the end of a line", "in pieces\n")
	d.Bytes(conn, "")
	longest := strings.Repeat("x", 1024-len("echo "))
	d.says("echo "+longest+"\n", longest+"\n")
	d.says("echo "+longest+"y\necho a\n", "error long\na\n")
	d.says("echo "+longest+"y", "error long\n")
	d.says(longest, "")
	d.says("echo hidden\nstate\n", "state 6\n")
	many := strings.Repeat("echo 0123456789\n", 64<<10/16)
	d.says(many, strings.ReplaceAll(many, "echo ", ""))
}
