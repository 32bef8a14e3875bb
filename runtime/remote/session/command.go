package session

import (
	"errors"

	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"
)

// Order is the field of what is wanted in a Command.
type Order protowire.Number

// The orders.
const (
	NoOrder      Order = 0
	Send         Order = 4
	Close        Order = 5
	Authenticate Order = 6
	StartTimer   Order = 7
	Publish      Order = 8
	Subscribe    Order = 9
	Unsubscribe  Order = 10
	Pause        Order = 11
	Resume       Order = 12
	RawPublish   Order = 13
	UnknownOrder Order = 14
)

// The fields of exgate.handler.v1 that are read by hand: a frame of millions of empty commands must not become millions of messages.
const (
	frameCommands protowire.Number = 2

	commandConn  protowire.Number = 1
	commandAck   protowire.Number = 2
	commandToken protowire.Number = 3
)

// Command is a Command whose order is encoded still. Body is part of the frame that it came in.
type Command struct {
	Conn, Ack, Token uint64
	Order            Order
	Body             []byte // what to send, or the encoded message of the order
}

var errWire = errors.New("it is not a protobuf message")

// Received is a HandlerFrame. Close it when its commands are done.
type Received struct {
	buffer mem.Buffer
	rest   []byte
}

func (r *Received) set(data mem.BufferSlice) {
	r.buffer = data.MaterializeToBuffer(mem.DefaultBufferPool())
	r.rest = r.buffer.ReadOnlyData()
}

// Close gives the memory of the frame back.
func (r *Received) Close() {
	if r.buffer != nil {
		r.buffer.Free()
	}
	*r = Received{}
}

// Read fills commands with the next ones of the frame and returns how many there were; 0 at the end. An error says that the frame is no HandlerFrame.
func (r *Received) Read(commands []Command) (n int, err error) {
	for n < len(commands) && len(r.rest) > 0 {
		field, kind, body, size := next(r.rest)
		if size < 0 {
			return n, errWire
		}
		r.rest = r.rest[size:]
		if field != frameCommands || kind != protowire.BytesType {
			continue
		}
		if commands[n], err = parseCommand(body); err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}

// next splits the first field off b. body is that of a field with bytes. size is negative where b is malformed.
func next(b []byte) (field protowire.Number, kind protowire.Type, body []byte, size int) {
	field, kind, tag := protowire.ConsumeTag(b)
	if tag < 0 {
		return 0, 0, nil, tag
	}
	if kind != protowire.BytesType {
		value := protowire.ConsumeFieldValue(field, kind, b[tag:])
		if value < 0 {
			return 0, 0, nil, value
		}
		return field, kind, b[tag : tag+value], tag + value
	}
	body, value := protowire.ConsumeBytes(b[tag:])
	if value < 0 {
		return 0, 0, nil, value
	}
	return field, kind, body, tag + value
}

func parseCommand(b []byte) (c Command, err error) {
	for len(b) > 0 {
		field, kind, body, size := next(b)
		if size < 0 {
			return c, errWire
		}
		b = b[size:]
		switch {
		case kind == protowire.BytesType && field >= protowire.Number(Send) && field <= protowire.Number(RawPublish):
			c.Order, c.Body = Order(field), body
		case kind == protowire.VarintType && field <= commandToken:
			value, _ := protowire.ConsumeVarint(body)
			c.set(field, value)
		case field > commandToken && c.Order == NoOrder:
			c.Order = UnknownOrder
		}
	}
	return c, nil
}

func (c *Command) set(field protowire.Number, value uint64) {
	switch field {
	case commandConn:
		c.Conn = value
	case commandAck:
		c.Ack = value
	case commandToken:
		c.Token = value
	}
}
