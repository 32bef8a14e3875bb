package handler

import "encoding/json"

// Device is the connection of one device, with the calls of the gateway. done is called once, inside the method or
// later, and reports whether the call succeeded.
type Device interface {
	Send(b []byte)
	Close()
	StartTimer(seconds uint32)
	Authenticate(client Client, password string, done func(ok bool))
	Publish(topic string, qos uint32, payload []byte, done func(ok bool))
	RawPublish(topic string, qos uint32, payload []byte, done func(ok bool))
	Subscribe(filter string, qos uint32, done func(ok bool))
	Unsubscribe(filter string, done func(ok bool))
}

// Handler runs the protocol for one device. Its methods, and done, are called one at a time.
type Handler struct {
	device  Device
	input   stream
	waiting bool // for done
	running bool // run is on the stack
	closed  bool
	refused int // requests in a row
}

// maxRefused is how many requests in a row may be refused before the device is closed, so that a device that floods
// without a login costs the others in its instance little.
const maxRefused = 10

// New returns the handler of a device.
func New(d Device) *Handler { return &Handler{device: d} }

// Waiting reports whether a call is pending: further input must wait.
func (h *Handler) Waiting() bool { return h.waiting }

// Receive handles bytes from the device, up to a frame that waits for the broker. Invalid frames close the device.
func (h *Handler) Receive(b []byte) {
	if h.closed {
		return
	}
	if err := h.input.add(b); err != nil {
		h.close()
		return
	}
	h.run()
}

// Deliver sends a message from the broker to the device.
func (h *Handler) Deliver(topic string, qos uint32, payload []byte) {
	if !h.closed {
		h.device.Send(encodePublish(topic, qos, payload))
	}
}

// Timeout closes a device that has been silent for too long.
func (h *Handler) Timeout() {
	h.device.Send([]byte(`{"type":9}`))
	h.close()
}

func (h *Handler) close() {
	h.closed, h.input = true, stream{}
	h.device.Close()
}

// run handles frames until one waits. Calls that are answered at once return here while it runs; the loop continues
// with the next frame.
func (h *Handler) run() {
	if h.running {
		return
	}
	h.running = true
	defer func() { h.running = false }()
	for !h.closed && !h.waiting {
		frame, err := h.input.next()
		if err != nil {
			h.close()
		}
		if frame == nil {
			return
		}
		h.frame(frame)
	}
}

func (h *Handler) frame(b []byte) {
	var r request
	if err := json.Unmarshal(b, &r); err != nil {
		h.close()
		return
	}
	switch r.Type {
	case typeConnect:
		h.device.Authenticate(r.Client, r.Password, h.wait(func(ok bool) { h.connected(r.Client, ok) }))
	case typePublish:
		h.device.Publish(r.Topic, r.QoS, []byte(r.Payload), h.wait(h.ack(typePubAck)))
	case typeRawPublish:
		h.device.RawPublish(r.Topic, r.QoS, []byte(r.Payload), h.wait(h.ack(typePubAck)))
	case typeSubscribe:
		h.device.Subscribe(r.Topic, r.QoS, h.wait(h.ack(typeSubAck)))
	case typeUnsubscribe:
		h.device.Unsubscribe(r.Topic, h.wait(h.ack(typeUnsubAck)))
	default: // includes DISCONNECT
		h.close()
	}
}

// wait holds back further frames until the call is answered.
func (h *Handler) wait(then func(ok bool)) func(ok bool) {
	h.waiting = true
	return func(ok bool) {
		h.waiting = false
		if h.closed {
			return
		}
		then(ok)
		h.count(ok)
		h.run()
	}
}

func (h *Handler) count(ok bool) {
	if h.refused++; ok {
		h.refused = 0
	}
	if h.refused >= maxRefused && !h.closed {
		h.close()
	}
}

func (h *Handler) ack(kind int) func(ok bool) {
	return func(ok bool) { h.device.Send(encodeAck(kind, ok)) }
}

func (h *Handler) connected(c Client, ok bool) {
	if ok && c.Keepalive != 0 {
		h.device.StartTimer(c.Keepalive)
	}
	h.device.Send(encodeAck(typeConnAck, ok))
	if !ok {
		h.close()
	}
}
