package main

import (
	"errors"
	"strconv"
	"strings"

	exproto "github.com/exgate/exgate/hostabi/sdk/go"
	"github.com/exgate/exgate/hostabi/sdk/go/framing"
)

// The tokens of calls that the broker answers.
const (
	tokenAuth  = 1
	tokenPub   = 2
	tokenSub   = 3
	tokenUnsub = 4
	tokenSave  = 5
)

func protocol(config []byte) (exproto.NewHandler, error) {
	if strings.HasPrefix(string(config), "refuse") {
		return nil, errors.New("the configuration says so")
	}
	lines, err := framing.New(framing.Delimiter{Bytes: []byte("\n"), Max: 1024, Strip: framing.StripLine})
	return func(c *exproto.Conn) exproto.Handler {
		return &device{conn: c, config: string(config), lines: lines, frames: lines.Framer(), inLines: true}
	}, err
}

// device is a connection and its state.
type device struct {
	conn    *exproto.Conn
	config  string
	lines   framing.Framing
	frames  *framing.Framer
	inLines bool // frames are lines
	count   uint64
	mount   string
	out     []byte
	action  exproto.Action
	request exproto.Request // of the last message that was one
}

var (
	_ exproto.Handler       = (*device)(nil)
	_ exproto.ResultHandler = (*device)(nil)
	_ exproto.AlarmHandler  = (*device)(nil)
	_ exproto.Drainer       = (*device)(nil)
)

// say adds an answer to those sent by flush.
func (d *device) say(words ...string) {
	d.out = append(append(d.out, strings.Join(words, " ")...), '\n')
}

func (d *device) flush() exproto.Action {
	if len(d.out) > 0 {
		d.conn.Send(d.out)
	}
	d.out = nil
	return d.action
}

func (d *device) OnSocketCreated(info exproto.ConnInfo) exproto.Action {
	var cert exproto.CertificateInfo
	if info.PeerCert != nil {
		cert = *info.PeerCert
	}
	line := []string{
		"created", "type=" + number(uint64(info.SocketType)), "peer=" + address(info.Peer),
		"local=" + address(info.Local),
		"cn=" + cert.CommonName, "dn=" + cert.DistinguishedName,
	}
	for _, p := range info.Properties {
		line = append(line, p.Name+"="+p.Value)
	}
	d.say(line...)
	return d.flush()
}

func number(n uint64) string { return strconv.FormatUint(n, 10) }

func address(a exproto.Address) string { return a.Host + ":" + number(uint64(a.Port)) }

func (d *device) OnReceivedBytes(b []byte) exproto.Action {
	d.action = exproto.Continue
	for len(b) > 0 && d.action != exproto.Close {
		d.feed(&b)
	}
	return d.flush()
}

// feed executes frames until b ends, the framer changes or the device leaves.
func (d *device) feed(b *[]byte) {
	framer := d.frames
	for frame, err := range framer.Frames(b) {
		if d.inLines {
			d.line(string(frame), err)
		} else {
			d.frame(frame, err)
		}
		if d.frames != framer || d.action == exproto.Close {
			return
		}
	}
}

// frame answers a frame or error of a framer other than that of lines.
func (d *device) frame(frame []byte, err error) {
	switch {
	case errors.Is(err, framing.ErrTooLong):
		d.say("frame error too_long")
	case err != nil:
		d.say("frame error broken")
	case string(frame) == "lines":
		d.frames, d.inLines = d.lines.Framer(), true
		d.say("ok")
	default:
		d.say("frame", inHex(frame))
	}
}

func inHex(b []byte) string {
	const digits = "0123456789abcdef"
	s := make([]byte, 0, 2*len(b))
	for _, c := range b {
		s = append(s, digits[c>>4], digits[c&15])
	}
	return string(s)
}

func (d *device) OnTimerTimeout(t exproto.TimerType) exproto.Action {
	d.action = exproto.Continue
	d.say("timer", number(uint64(t)))
	return d.flush()
}

func (d *device) OnAlarm(id uint32) exproto.Action {
	d.action = exproto.Continue
	d.say("alarm", number(uint64(id)))
	return d.flush()
}

func (d *device) OnReceivedMessages(messages []exproto.Message) exproto.Action {
	d.action = exproto.Continue
	for _, m := range messages {
		line := []string{
			"message", "node=" + m.Node, "id=" + m.ID, "qos=" + number(uint64(m.QoS)), "from=" + m.From,
			"topic=" + m.Topic, "at=" + number(m.Timestamp), "payload=" + string(m.Payload),
		}
		d.say(append(line, properties(m.Properties)...)...)
		if r, ok := exproto.RequestOf(m); ok {
			d.request = r
		}
	}
	return d.flush()
}

// properties returns those that are set.
func properties(p *exproto.Properties) (line []string) {
	if p == nil {
		return nil
	}
	if p.Retain {
		line = append(line, "retain=1")
	}
	if p.Expiry > 0 {
		line = append(line, "expiry="+number(uint64(p.Expiry)))
	}
	for _, t := range [...]struct{ name, text string }{
		{"type=", p.ContentType}, {"response=", p.ResponseTopic}, {"correlation=", string(p.Correlation)},
	} {
		if t.text != "" {
			line = append(line, t.name+t.text)
		}
	}
	for _, u := range p.User {
		line = append(line, u.Name+"="+u.Value)
	}
	return line
}

func (d *device) OnResult(token int64, r exproto.Result) exproto.Action {
	d.action = exproto.Continue
	words := []string{"result", strconv.FormatInt(token, 10), number(uint64(r.Code))}
	if r.Message != "" {
		words = append(words, r.Message)
	}
	d.say(words...)
	if r.State != "" {
		d.say("kept", r.State)
	}
	if token == tokenAuth {
		d.conn.Resume()
	}
	return d.flush()
}

func (d *device) OnDrain() exproto.Action {
	d.action = exproto.Continue
	d.say("drain")
	return d.flush()
}

func (d *device) OnSocketClosed(reason string) { d.conn.Log(exproto.LevelInfo, "closed "+reason) }
