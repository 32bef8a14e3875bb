package main

import (
	exproto "github.com/exgate/exgate/hostabi/sdk/go"
	"github.com/exgate/exgate/hostabi/sdk/go/framing"
)

// maxFrame is the largest frame of a framer chosen by a device, in bytes.
const maxFrame = 4096

// line executes one line.
func (d *device) line(line string, err error) {
	d.count++
	if err != nil {
		d.say("error long")
		return
	}
	if line == "" {
		return
	}
	w := &words{rest: line, more: true}
	command := w.word()
	run := d.call(command, w)
	if run == nil {
		run = d.local(command, w)
	}
	switch {
	case run == nil:
		d.say("error command")
	case !w.whole():
		d.say("error usage")
	default:
		run()
	}
}

// answer reports ok for an accepted call that is answered at once, and the code of a refused call.
func (d *device) answer(name string, code exproto.Code, ok bool) {
	if code != exproto.Success {
		d.say("refused", name, number(uint64(code)))
	} else if ok {
		d.say("ok")
	}
}

// call parses a command that calls the gateway; it returns nil for other commands.
func (d *device) call(command string, w *words) func() {
	var code func() exproto.Code
	ok := false
	switch command {
	case "auth":
		return d.auth(w)
	case "timer":
		ok = true
		seconds := w.number()
		code = func() exproto.Code { return d.conn.StartTimer(seconds) }
	case "alarm":
		ok = true
		id, ms := w.number(), w.number()
		code = func() exproto.Code { return d.conn.SetTimer(id, int32(ms)) }
	case "save":
		state := []byte(w.text())
		code = func() exproto.Code { return d.conn.WithToken(tokenSave).SaveState(state) }
	case "pub":
		topic, qos, payload := w.word(), w.number(), []byte(w.text())
		code = func() exproto.Code { return d.conn.WithToken(tokenPub).Publish(topic, qos, payload) }
	case "pubp":
		topic, qos := w.word(), w.number()
		props := w.properties()
		payload := []byte(w.text())
		code = func() exproto.Code { return d.conn.WithToken(tokenPub).PublishWith(topic, qos, payload, props) }
	case "answer":
		qos, payload := w.number(), []byte(w.text())
		code = func() exproto.Code { return d.conn.WithToken(tokenPub).Answer(d.request, qos, payload) }
	case "quiet":
		ok = true
		topic, qos, payload := w.word(), w.number(), []byte(w.text())
		code = func() exproto.Code { return d.conn.Publish(topic, qos, payload, nil) }
	case "sub":
		filter, qos := w.word(), w.number()
		code = func() exproto.Code { return d.conn.WithToken(tokenSub).Subscribe(filter, qos) }
	case "unsub":
		filter := w.word()
		code = func() exproto.Code { return d.conn.WithToken(tokenUnsub).Unsubscribe(filter) }
	case "resume":
		ok = true
		code = d.conn.Resume
	case "close":
		reason := w.text()
		code = func() exproto.Code { return d.conn.Close(reason) }
	default:
		return nil
	}
	return func() { d.answer(command, code(), ok) }
}

// properties parses RETAIN EXPIRY TYPE RESPONSE CORRELATION NAME VALUE; - stands for none.
func (w *words) properties() exproto.Properties {
	p := exproto.Properties{Retain: w.number() != 0, Expiry: w.number(), ContentType: w.optional()}
	p.ResponseTopic, p.Correlation = w.optional(), []byte(w.optional())
	u := exproto.Property{Name: w.optional(), Value: w.optional()}
	if u.Name != "" || u.Value != "" {
		p.User = []exproto.Property{u}
	}
	return p
}

// optional is word, with - for none.
func (w *words) optional() string {
	if s := w.word(); s != "-" {
		return s
	}
	return ""
}

func (d *device) auth(w *words) func() {
	client := exproto.ClientInfo{ProtoName: "probe", ProtoVersion: "1", ClientID: w.word(), Mountpoint: d.mount}
	if w.more {
		client.Username = w.word()
	}
	password := w.text()
	return func() {
		code := d.conn.WithToken(tokenAuth).Authenticate(client, password)
		d.answer("auth", code, false)
		if code == exproto.Success {
			d.action = exproto.Pause
		}
	}
}

// local parses the other commands; it returns nil for an unknown one.
func (d *device) local(command string, w *words) func() {
	switch command {
	case "echo":
		text := w.text()
		return func() { d.say(text) }
	case "config":
		return func() { d.say("config", d.config) }
	case "state":
		return func() { d.say("state", number(d.count)) }
	case "mount":
		prefix := w.word()
		w.bad = w.bad || len(prefix) > 64
		return func() {
			d.mount = prefix
			d.say("ok")
		}
	case "log":
		return d.log(w)
	case "pause":
		return func() { d.action = exproto.Pause }
	case "leave":
		return func() { d.action = exproto.Close }
	case "frame":
		notation := w.text()
		return func() { d.reframe(notation) }
	case "trap":
		return func() { panic("the device wants it") }
	}
	return nil
}

var levels = map[string]exproto.Level{
	"debug": exproto.LevelDebug, "info": exproto.LevelInfo, "warn": exproto.LevelWarn, "error": exproto.LevelError,
}

func (d *device) log(w *words) func() {
	level, ok := levels[w.word()]
	w.bad = w.bad || !ok
	text := w.text()
	return func() {
		d.conn.Log(level, text)
		d.say("ok")
	}
}

// reframe switches to another framer.
func (d *device) reframe(notation string) {
	rules, err := framing.Parse(notation)
	if err == nil && mostOf(rules) <= maxFrame {
		var made framing.Framing
		if made, err = framing.New(rules); err == nil {
			d.frames, d.inLines = made.Framer(), false
			d.say("ok")
			return
		}
	}
	d.say("error framing")
}

// mostOf returns the largest length of a frame.
func mostOf(rules framing.Rules) int {
	switch r := rules.(type) {
	case framing.Delimiter:
		return r.Max
	case framing.Length:
		return r.Max
	case framing.Escape:
		return r.Max
	case framing.Fixed:
		return r.Size
	}
	return 0
}
