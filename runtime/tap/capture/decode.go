package capture

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/tap"
)

// maxMicros bounds the time of an entry: a hundred years.
const maxMicros = 100 * 365 * 24 * 3600 * 1e6

// decodeLine reads an entry. Unknown kinds have the kind 0.
func decodeLine(text []byte) (Entry, error) {
	var l line
	if err := checkLine(text); err != nil {
		return Entry{}, err
	}
	if err := json.Unmarshal(text, &l); err != nil {
		return Entry{}, err
	}
	if l.Conn == 0 || l.Number == 0 || l.Micros < 0 || l.Micros > maxMicros {
		return Entry{}, errors.New("c and n must be at least 1, and t at least 0")
	}
	r, err := l.record()
	r.At = time.Duration(l.Micros) * time.Microsecond
	return Entry{Conn: l.Conn, Number: l.Number, Record: r, Cut: l.Cut, Covered: l.Covered}, err
}

func (l *line) record() (tap.Record, error) {
	switch {
	case l.Event != "":
		return l.eventRecord()
	case l.Call != "":
		return l.callRecord(), nil
	case l.Result != "":
		code, err := codeOf(l.Result)
		return tap.Record{
			Kind: tap.Result, Call: l.Of, Refused: l.Refused,
			Result: gateway.Result{Code: code, Message: l.Message}, Data: l.state(),
		}, err
	case l.Failed != "":
		return tap.Record{Kind: tap.Handled, Err: errors.New(l.Failed)}, nil
	}
	return tap.Record{}, nil
}

// codeOf returns the result code with this name.
func codeOf(name string) (gateway.ResultCode, error) {
	for c := range gateway.ResultCode(64) {
		if c.String() == name {
			return c, nil
		}
	}
	return 0, fmt.Errorf("result: %.40q is not a code", name)
}

func (l *line) eventRecord() (tap.Record, error) {
	r := tap.Record{Kind: tap.KindOf(l.Event)}
	switch r.Kind {
	case tap.Created:
		r.Digest = l.Module
		var err error
		r.Info, err = l.info()
		return r, err
	case tap.Bytes:
		r.Data = l.bytes()
	case tap.Timer:
		r.Timer = l.timer()
	case tap.Alarm:
		r.Alarm = l.alarm()
	case tap.Messages:
		for _, m := range l.Messages {
			r.Messages = append(r.Messages, gateway.Message{
				ID: m.ID, Node: m.Node, From: m.From, Topic: m.Topic, QoS: m.QoS, Timestamp: time.UnixMilli(m.Millis),
				Payload: m.bytes(), Properties: m.Props.properties(),
			})
		}
	case tap.Closed:
		r.Reason = l.closeReason()
	case tap.Posted, tap.Drain:
	default:
		r = tap.Record{}
	}
	return r, nil
}

func (l *line) info() (info gateway.ConnInfo, err error) {
	at := slices.Index(socketNames[:], l.Socket)
	if at < 0 {
		return info, fmt.Errorf("socket: %.40q is not one of %q", l.Socket, socketNames)
	}
	info.SocketType = gateway.SocketType(at)
	if info.Peer, err = address(l.Peer); err != nil {
		return info, fmt.Errorf("peer: %w", err)
	}
	if info.Local, err = address(l.Local); err != nil {
		return info, fmt.Errorf("local: %w", err)
	}
	if l.Cert != nil {
		info.PeerCert = &gateway.CertificateInfo{
			CommonName:        l.Cert.CommonName,
			DistinguishedName: l.Cert.DistinguishedName,
		}
	}
	for _, p := range l.Properties {
		info.Properties = append(info.Properties, gateway.Property(p))
	}
	return info, nil
}

func address(text string) (netip.AddrPort, error) {
	if text == "" {
		return netip.AddrPort{}, nil
	}
	return netip.ParseAddrPort(text)
}

func (l *line) timer() gateway.TimerType {
	if l.Timer == nil {
		return 0
	}
	return gateway.TimerType(*l.Timer)
}

func (l *line) alarm() uint32 {
	if l.Alarm == nil {
		return 0
	}
	return *l.Alarm
}

// state returns the state that came with a result, nil without any.
func (l *line) state() []byte {
	if b := l.bytes(); len(b) > 0 {
		return b
	}
	return nil
}

func (l *line) closeReason() gateway.CloseReason {
	return gateway.CloseReason{Code: l.Code, Name: l.Reason, Detail: l.Detail}
}

func (l *line) callRecord() tap.Record {
	kind := tap.KindOf(l.Call)
	if !kind.Call() {
		return tap.Record{}
	}
	r := tap.Record{
		Kind: kind, Call: l.ID, Wanted: l.Wanted, Topic: l.Topic, QoS: l.QoS, Seconds: l.Seconds,
		Timer: l.timer(), Alarm: l.alarm(), Millis: l.Millis, Reason: l.closeReason(),
	}
	if kind == tap.Send || kind == tap.Publish || kind == tap.SaveState {
		r.Data = l.bytes()
	}
	if kind == tap.Publish {
		r.Props = l.Props.properties()
	}
	if c := l.Client; c != nil {
		r.Client = gateway.ClientInfo{
			ProtoName: c.Name, ProtoVersion: c.Version, ClientID: c.ClientID, Username: c.Username,
			Mountpoint: c.Mountpoint,
		}
	}
	return r
}

// decodeHeader reads the first line.
func decodeHeader(text []byte) (Header, error) {
	var h Header
	if !bytes.HasPrefix(text, []byte(`{"exgc":`)) {
		return h, errors.New(`not a capture: the first field must be "exgc"`)
	}
	if err := checkLine(text); err != nil {
		return h, err
	}
	if err := json.Unmarshal(text, &h); err != nil {
		return h, err
	}
	if h.Version != version {
		return h, fmt.Errorf("version %d of the format is not supported: this program reads version %d", h.Version,
			version)
	}
	return h, nil
}
