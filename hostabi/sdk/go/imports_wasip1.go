//go:build wasip1

package exproto

import "unsafe"

// imports is the Host of a module.
type imports struct{}

var _ Host = imports{}

//go:wasmimport exproto_v1 send
//go:noescape
func importSend(conn int64, p unsafe.Pointer, n uint32) uint32

//go:wasmimport exproto_v1 close
//go:noescape
func importClose(conn int64, why unsafe.Pointer, n uint32) uint32

//go:wasmimport exproto_v1 authenticate
//go:noescape
func importAuthenticate(conn, token int64, p unsafe.Pointer, n uint32) uint32

//go:wasmimport exproto_v1 start_timer
func importStartTimer(conn int64, t, seconds uint32) uint32

//go:wasmimport exproto_v1 set_timer
func importSetTimer(conn int64, id, ms uint32) uint32

//go:wasmimport exproto_v1 save_state
//go:noescape
func importSaveState(conn, token int64, p unsafe.Pointer, n uint32) uint32

//go:wasmimport exproto_v1 publish
//go:noescape
func importPublish(conn, token int64, topic unsafe.Pointer, topicLen, qos uint32, p unsafe.Pointer, n uint32) uint32

//go:wasmimport exproto_v1 publish_with
//go:noescape
func importPublishWith(conn, token int64, topic unsafe.Pointer, topicLen, qos uint32, p unsafe.Pointer, n uint32,
	props unsafe.Pointer, propsLen uint32) uint32

//go:wasmimport exproto_v1 subscribe
//go:noescape
func importSubscribe(conn, token int64, filter unsafe.Pointer, n, qos uint32) uint32

//go:wasmimport exproto_v1 unsubscribe
//go:noescape
func importUnsubscribe(conn, token int64, filter unsafe.Pointer, n uint32) uint32

//go:wasmimport exproto_v1 resume
func importResume(conn int64) uint32

//go:wasmimport exproto_v1 log
//go:noescape
func importLog(level int32, p unsafe.Pointer, n uint32)

func bytesAt(b []byte) (unsafe.Pointer, uint32) {
	return unsafe.Pointer(unsafe.SliceData(b)), uint32(len(b))
}

func textAt(s string) (unsafe.Pointer, uint32) {
	return unsafe.Pointer(unsafe.StringData(s)), uint32(len(s))
}

func (imports) Send(conn int64, b []byte) Code {
	p, n := bytesAt(b)
	return Code(importSend(conn, p, n))
}

func (imports) Close(conn int64, why string) Code {
	p, n := textAt(why)
	return Code(importClose(conn, p, n))
}

func (imports) Authenticate(conn, token int64, request []byte) Code {
	p, n := bytesAt(request)
	return Code(importAuthenticate(conn, token, p, n))
}

func (imports) StartTimer(conn int64, t TimerType, seconds uint32) Code {
	return Code(importStartTimer(conn, uint32(t), seconds))
}

func (imports) SetTimer(conn int64, id uint32, ms int32) Code {
	return Code(importSetTimer(conn, id, uint32(ms)))
}

func (imports) SaveState(conn, token int64, state []byte) Code {
	p, n := bytesAt(state)
	return Code(importSaveState(conn, token, p, n))
}

func (imports) Publish(conn, token int64, topic string, qos uint32, payload []byte) Code {
	tp, tn := textAt(topic)
	p, n := bytesAt(payload)
	return Code(importPublish(conn, token, tp, tn, qos, p, n))
}

func (imports) PublishWith(conn, token int64, topic string, qos uint32, payload, props []byte) Code {
	tp, tn := textAt(topic)
	p, n := bytesAt(payload)
	pp, pn := bytesAt(props)
	return Code(importPublishWith(conn, token, tp, tn, qos, p, n, pp, pn))
}

func (imports) Subscribe(conn, token int64, filter string, qos uint32) Code {
	p, n := textAt(filter)
	return Code(importSubscribe(conn, token, p, n, qos))
}

func (imports) Unsubscribe(conn, token int64, filter string) Code {
	p, n := textAt(filter)
	return Code(importUnsubscribe(conn, token, p, n))
}

func (imports) Resume(conn int64) Code { return Code(importResume(conn)) }

func (imports) Log(level Level, text string) {
	p, n := textAt(text)
	importLog(int32(level), p, n)
}
