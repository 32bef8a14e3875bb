package probe

import (
	"strings"
	"testing"

	"github.com/exgate/exgate/hostabi"
)

func (s suite) calls(t *testing.T) {
	d := s.start(t)
	d.sends("auth id\n", "", hostabi.ActionPause)
	d.sends("auth id user\n", "", hostabi.ActionPause)
	d.sends("auth id user \n", "", hostabi.ActionPause)
	d.sends("mount m/\nauth ünit user pass  word \n", "ok\n", hostabi.ActionPause)
	d.says("timer 30\ntimer 0\ntimer 4294967295\ntimer 0000000001\n", "ok\nok\nok\nok\n")
	d.says("alarm 0 10\nalarm 15 2147483647\nalarm 4294967295 4294967295\n", "ok\nok\nok\n")
	d.says("save 1 2 \nsave \xff\x00\nsave\n", "")
	d.says("pub t/a 1 pay load\npub t 2\npub t 4294967295  \xff\x00\n", "")
	d.says("quiet t 0 x\nquiet t 3 \n", "ok\nok\n")
	d.says("pubp t 1 1 60 text/plain r/1 c1 key ünit pay load\npubp t 2 0 0 - - - - - \n", "")
	d.says("pubp t 0 0 4294967295 - - - key -  x\npubp t 0 0 0 - - - - value\n", "")
	d.says("answer 1 nobody\n", "")
	d.says("sub t/# 2\nsub $share/g/+ 9\nunsub t/#\n", "")
	d.says("resume\nclose\nclose so be it \n", "ok\n")
	d.called(`authenticate CONN token=1 proto="probe"/"1" clientid="id" username="" mountpoint="" password=""
authenticate CONN token=1 proto="probe"/"1" clientid="id" username="user" mountpoint="" password=""
authenticate CONN token=1 proto="probe"/"1" clientid="id" username="user" mountpoint="" password=""
authenticate CONN token=1 proto="probe"/"1" clientid="ünit" username="user" mountpoint="m/" password="pass  word "
start_timer CONN type=0 seconds=30
start_timer CONN type=0 seconds=0
start_timer CONN type=0 seconds=4294967295
start_timer CONN type=0 seconds=1
set_timer CONN id=0 ms=10
set_timer CONN id=15 ms=2147483647
set_timer CONN id=4294967295 ms=-1
save_state CONN token=5 "1 2 "
save_state CONN token=5 "\xff\x00"
save_state CONN token=5 ""
publish CONN token=2 "t/a" qos=1 "pay load"
publish CONN token=2 "t" qos=2 ""
publish CONN token=2 "t" qos=4294967295 " \xff\x00"
publish CONN token=0 "t" qos=0 "x"
publish CONN token=0 "t" qos=3 ""
publish_with CONN token=2 "t" qos=1 "pay load" retain=1 expiry=60 type="text/plain" response="r/1" ` +
		`correlation="c1" user="key"="ünit"
publish_with CONN token=2 "t" qos=2 ""
publish_with CONN token=2 "t" qos=0 " x" expiry=4294967295 user="key"=""
publish_with CONN token=2 "t" qos=0 "" user=""="value"
publish_with CONN token=2 "" qos=1 "nobody"
subscribe CONN token=3 "t/#" qos=2
subscribe CONN token=3 "$share/g/+" qos=9
unsubscribe CONN token=4 "t/#"
resume CONN
close CONN ""
close CONN "so be it "`)
	name := strings.Repeat("n", 480)
	d.sends("auth "+name+" "+name+" x\n", "", hostabi.ActionPause)
	d.called(`authenticate CONN token=1 proto="probe"/"1" clientid="` + name + `" username="` + name +
		`" mountpoint="m/" password="x"`)
}

func (s suite) refusals(t *testing.T) {
	d := s.start(t)
	for _, c := range []struct{ call, line, name string }{
		{"authenticate", "auth id", "auth"},
		{"start_timer", "timer 1", "timer"},
		{"set_timer", "alarm 1 10", "alarm"},
		{"save_state", "save x", "save"},
		{"publish", "pub t 1 x", "pub"},
		{"publish", "quiet t 1 x", "quiet"},
		{"publish_with", "pubp t 1 0 0 - - - - - x", "pubp"},
		{"publish_with", "answer 1 x", "answer"},
		{"subscribe", "sub f 1", "sub"},
		{"unsubscribe", "unsub f", "unsub"},
		{"resume", "resume", "resume"},
		{"close", "close it", "close"},
	} {
		for code, text := range map[hostabi.Code]string{2: "2", 5: "5", 16: "16", 17: "17", 99: "99"} {
			d.Refuse(c.call, code)
			d.says(c.line+"\n", "refused "+c.name+" "+text+"\n")
		}
		d.Refuse(c.call, 0)
	}
	d.Calls()
	d.Refuse("send", hostabi.CodeLimit)
	d.says("echo a\n", "a\n")
}

func (s suite) results(t *testing.T) {
	d := s.start(t)
	d.sends("auth id\n", "", hostabi.ActionPause)
	d.says("pub t 1 x\nsub f 1\nunsub f\npub t 1 y\n", "")
	d.Calls()
	answer := func(token int64, code hostabi.Code, message, want string) {
		t.Helper()
		if a := d.Result(conn, token, code, message); a != hostabi.ActionContinue {
			t.Errorf("a result got action %d", a)
		}
		d.answered("a result", want)
	}
	answer(4, hostabi.CodeSuccess, "", "result 4 0\n")
	d.called("")
	answer(1, hostabi.CodePermissionDeny, "not  you ", "result 1 5 not  you \n")
	d.called("resume CONN")
	d.sends("auth id\n", "", hostabi.ActionPause)
	d.Calls()
	d.Refuse("resume", hostabi.CodeConnProcessNotAlive)
	answer(1, hostabi.CodeSuccess, "", "result 1 0\n")
	d.called("resume CONN")
	d.says("save 1\n", "")
	d.Calls()
	answer(5, hostabi.CodeSuccess, "", "result 5 0\n")
	for _, state := range []string{"7", "a b", "\xff\x00\n", strings.Repeat("s", 4096)} {
		d.Refuse("resume", hostabi.CodeSuccess)
		d.sends("auth id\n", "", hostabi.ActionPause)
		d.Calls()
		if a := d.LoggedIn(conn, 1, []byte(state)); a != hostabi.ActionContinue {
			t.Errorf("a result with state got action %d", a)
		}
		d.answered("a result with state", "result 1 0\nkept "+state+"\n")
		d.called("resume CONN")
	}
	answer(2, hostabi.CodeLimit, strings.Repeat("m", 2000), "result 2 16 "+strings.Repeat("m", 2000)+"\n")
	answer(3, 4294967295, "", "result 3 4294967295\n")
	answer(2, hostabi.CodeUnknown, "ü", "result 2 1 ü\n")
	d.called("")
}

func (s suite) actions(t *testing.T) {
	d := s.start(t)
	d.sends("pause\necho a\n", "a\n", hostabi.ActionPause)
	d.says("echo b\n", "b\n")
	d.sends("pause\nleave\necho c\n", "", hostabi.ActionClose)
	d.called("")
	d = s.start(t)
	d.sends("echo a\nleave\n", "a\n", hostabi.ActionClose)
	d.Closed(conn, "normal")
	d.called(`log 0 "closed normal"`)
	d.answered("CLOSED", "")
	for what, action := range map[string]hostabi.Action{
		"bytes": d.Bytes(conn, "echo a\n"), "TIMER": d.Timer(conn), "ALARM": d.Alarm(conn, 1),
		"MESSAGES": d.Messages(conn, hostabi.Message{}),
		"RESULT":   d.Result(conn, 1, 0, ""), "DRAIN": d.Drain(conn),
	} {
		if action != hostabi.ActionContinue && action != hostabi.ActionClose {
			t.Errorf("%s of a connection that is gone got action %d", what, action)
		}
		d.answered(what+" of a connection that is gone", "")
	}
	d.called("")
}
