package session

import (
	"errors"

	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"
)

// order is the field number of a Command's order.
type order protowire.Number

// All orders.
const (
	noOrder           order = 0
	orderSend         order = 4
	orderClose        order = 5
	orderAuthenticate order = 6
	orderStartTimer   order = 7
	orderPublish      order = 8
	orderSubscribe    order = 9
	orderUnsubscribe  order = 10
	orderPause        order = 11
	orderResume       order = 12
	orderRawPublish   order = 13
	orderSetTimer     order = 14
	orderSaveState    order = 15
	unknownOrder      order = 16
)

// Fields of exgate.handler.v1 that are parsed by hand: a frame with millions of empty commands must not become millions
// of messages.
const (
	frameCommands protowire.Number = 2

	commandConn  protowire.Number = 1
	commandAck   protowire.Number = 2
	commandToken protowire.Number = 3
)

// command is a Command whose order is still encoded. Body is part of the frame.
type command struct {
	Conn, Ack, Token uint64
	Order            order
	Body             []byte // the bytes to send, or the encoded message of the order
}

var errWire = errors.New("it is not a protobuf message")

// receivedFrame is a HandlerFrame. Close it after executing its commands.
type receivedFrame struct {
	buffer mem.Buffer
	unread []byte
}

func (r *receivedFrame) set(data mem.BufferSlice) {
	r.buffer = data.MaterializeToBuffer(mem.DefaultBufferPool())
	r.unread = r.buffer.ReadOnlyData()
}

// Close frees the memory of the frame.
func (r *receivedFrame) Close() {
	if r.buffer != nil {
		r.buffer.Free()
	}
	*r = receivedFrame{}
}

// Read parses the next commands of the frame into commands and returns their number, which is 0 at the end. An error
// says that the frame is not a HandlerFrame.
func (r *receivedFrame) Read(commands []command) (n int, err error) {
	for n < len(commands) && len(r.unread) > 0 {
		field, kind, body, size := next(r.unread)
		if size < 0 {
			return n, errWire
		}
		r.unread = r.unread[size:]
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

// next parses the first field of b. body is the content of a length-delimited field, or the value of another one. size
// is negative if b is malformed.
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

func parseCommand(b []byte) (c command, err error) {
	for len(b) > 0 {
		field, kind, body, size := next(b)
		if size < 0 {
			return c, errWire
		}
		b = b[size:]
		switch {
		case kind == protowire.BytesType && field >= protowire.Number(orderSend) &&
			field < protowire.Number(unknownOrder):
			c.Order, c.Body = order(field), body
		case kind == protowire.VarintType && field <= commandToken:
			value, _ := protowire.ConsumeVarint(body)
			c.set(field, value)
		case field > commandToken && c.Order == noOrder:
			c.Order = unknownOrder
		}
	}
	return c, nil
}

func (c *command) set(field protowire.Number, value uint64) {
	switch field {
	case commandConn:
		c.Conn = value
	case commandAck:
		c.Ack = value
	case commandToken:
		c.Token = value
	}
}
