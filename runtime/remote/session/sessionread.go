package session

import (
	"context"
	"errors"
	"fmt"
	"io"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// commandBlock is how many commands are carried out between two looks at the session's state.
const commandBlock = 256

// read carries out commands until the stream ends, and returns why it did.
func (st *stream) read(ctx context.Context) error {
	commands := make([]command, commandBlock)
	conns := make([]*conn, commandBlock)
	for {
		var frame receivedFrame
		if err := st.rpc.RecvMsg(&frame); err != nil {
			if errors.Is(err, io.EOF) {
				return errHandlerEnded
			}
			return err
		}
		st.heard.Store(int64(st.session.now()))
		st.pinged.Store(0)
		err := st.handleFrame(ctx, &frame, commands, conns)
		frame.Close()
		if err != nil {
			return err
		}
	}
}

// handleFrame carries out the commands of a frame. commands and conns are room for a block of them.
func (st *stream) handleFrame(ctx context.Context, frame *receivedFrame, commands []command, conns []*conn) error {
	for {
		n, err := frame.Read(commands)
		if err != nil {
			return status.Error(codes.Internal, fmt.Sprint("the handler sent a malformed frame: ", err))
		}
		if n == 0 {
			return nil
		}
		if err := st.awaitRoom(ctx); err != nil {
			return err
		}
		st.find(commands[:n], conns)
		for i := range commands[:n] {
			st.execute(conns[i], &commands[i])
		}
		st.acknowledge(commands[:n], conns)
	}
}

// find looks up the connections of commands; those that are not known are nil.
func (st *stream) find(commands []command, conns []*conn) {
	s := st.session
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range commands {
		c := s.open[commands[i].Conn]
		if c != nil && (c.line != st.line || !c.announced) {
			c = nil // the handler guesses
		}
		conns[i] = c
	}
}

// acknowledge takes the acks of commands, after these were carried out.
func (st *stream) acknowledge(commands []command, conns []*conn) {
	s := st.session
	now := s.now()
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range commands {
		if seq := commands[i].Ack; seq != 0 && conns[i] != nil {
			conns[i].acknowledge(seq, now)
		}
	}
}

// awaitRoom waits while too many results wait for the handler to take them.
func (st *stream) awaitRoom(ctx context.Context) error {
	s := st.session
	for {
		s.mu.Lock()
		if st.line.results.Size() <= maxResultBytes {
			s.mu.Unlock()
			return nil
		}
		if st.room == nil {
			st.room = make(chan struct{})
		}
		room := st.room
		s.mu.Unlock()
		select {
		case <-room:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// drained wakes the reader that waits for results to go out; the caller holds session.mu.
func (st *stream) drained() {
	if st.room != nil {
		close(st.room)
		st.room = nil
	}
}
