package capture

import (
	"strings"

	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/tap"
)

var socketNames = [...]string{"tcp", "ssl", "udp", "dtls"}

// appendEntry appends e as a line.
func appendEntry(b []byte, e Entry) ([]byte, error) {
	l := lineOf(e.Record)
	l.Conn, l.Number, l.Cut, l.Covered = e.Conn, e.Number, e.Cut, e.Covered
	return appendLine(b, l)
}

func lineOf(r tap.Record) line {
	l := line{Micros: r.At.Microseconds()}
	switch {
	case r.Kind == tap.Handled:
		l.Failed = r.Err.Error()
	case r.Kind == tap.Result:
		l.Result, l.Message, l.Of, l.Refused = r.Result.Code.String(), r.Result.Message, r.Call, r.Refused
		l.data = dataOf(r.Data)
	case r.Kind.Event():
		l.Event = r.Kind.String()
		l.event(r)
	case r.Kind.Call():
		l.Call, l.ID, l.Wanted = r.Kind.String(), r.Call, r.Wanted
		l.call(r)
	}
	return l
}

func (l *line) event(r tap.Record) {
	switch r.Kind {
	case tap.Created:
		l.created(r)
	case tap.Bytes:
		l.data = dataOf(r.Data)
	case tap.Timer:
		l.Timer = new(uint8(r.Timer))
	case tap.Alarm:
		l.Alarm = new(r.Alarm)
	case tap.Messages:
		for _, m := range r.Messages {
			l.Messages = append(l.Messages, message{
				ID: m.ID, Node: m.Node, From: m.From, Topic: m.Topic, QoS: m.QoS, Millis: m.Timestamp.UnixMilli(),
				data: dataOf(m.Payload), Props: propsOf(m.Properties),
			})
		}
	case tap.Closed:
		l.reason(r.Reason)
	}
}

func (l *line) created(r tap.Record) {
	l.Module = r.Digest
	if int(r.Info.SocketType) < len(socketNames) {
		l.Socket = socketNames[r.Info.SocketType]
	}
	if r.Info.Peer.IsValid() {
		l.Peer = r.Info.Peer.String()
	}
	if r.Info.Local.IsValid() {
		l.Local = r.Info.Local.String()
	}
	if c := r.Info.PeerCert; c != nil {
		l.Cert = &cert{c.CommonName, c.DistinguishedName}
	}
	for _, p := range r.Info.Properties {
		if p.Name == gateway.PropertyPassword {
			p.Value = strings.Repeat("*", len(p.Value))
		}
		l.Properties = append(l.Properties, property(p))
	}
}

func (l *line) reason(r gateway.CloseReason) { l.Reason, l.Code, l.Detail = r.Name, r.Code, r.Detail }

func (l *line) call(r tap.Record) {
	switch r.Kind {
	case tap.Send, tap.SaveState:
		l.data = dataOf(r.Data)
	case tap.Close:
		l.reason(r.Reason)
	case tap.Authenticate:
		c := r.Client
		l.Client = &client{
			ClientID: c.ClientID, Username: c.Username, Name: c.ProtoName, Version: c.ProtoVersion,
			Mountpoint: c.Mountpoint,
		}
	case tap.StartTimer:
		l.Timer, l.Seconds = new(uint8(r.Timer)), r.Seconds
	case tap.SetTimer:
		l.Alarm, l.Millis = new(r.Alarm), r.Millis
	case tap.Publish:
		l.Topic, l.QoS, l.data, l.Props = r.Topic, r.QoS, dataOf(r.Data), propsOf(r.Props)
	case tap.Subscribe:
		l.Topic, l.QoS = r.Topic, r.QoS
	case tap.Unsubscribe:
		l.Topic = r.Topic
	}
}
