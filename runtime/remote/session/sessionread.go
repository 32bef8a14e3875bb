package session

import (
	"context"
	"errors"
	"fmt"
	"io"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// sessionBlock is how many commands are carried out between two looks at the session's state.
const sessionBlock = 256

// read carries out commands until the stream ends, and returns why it did.
func (st *sessionStream) read(ctx context.Context) error {
	commands := make([]Command, sessionBlock)
	conns := make([]*sessionConn, sessionBlock)
	for {
		var frame Received
		if err := st.rpc.RecvMsg(&frame); err != nil {
			if errors.Is(err, io.EOF) {
				return errHandlerEnded
			}
			return err
		}
		st.heard.Store(int64(st.session.now()))
		st.asked.Store(0)
		err := st.obey(ctx, &frame, commands, conns)
		frame.Close()
		if err != nil {
			return err
		}
	}
}

// obey carries out the commands of a frame. commands and conns are room for a block of them.
func (st *sessionStream) obey(ctx context.Context, frame *Received, commands []Command, conns []*sessionConn) error {
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
			st.carryOut(conns[i], &commands[i])
		}
		st.acknowledge(commands[:n], conns)
	}
}

// find looks up the connections of commands; those that are not known are nil.
func (st *sessionStream) find(commands []Command, conns []*sessionConn) {
	s := st.session
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range commands {
		c := s.open[commands[i].Conn]
		if c != nil && (c.line != st.line || !c.told) {
			c = nil // the handler guesses
		}
		conns[i] = c
	}
}

// acknowledge takes the acks of commands, after these were carried out.
func (st *sessionStream) acknowledge(commands []Command, conns []*sessionConn) {
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
func (st *sessionStream) awaitRoom(ctx context.Context) error {
	s := st.session
	for {
		s.mu.Lock()
		if st.line.results.Size() <= sessionResultBytes {
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
func (st *sessionStream) drained() {
	if st.room != nil {
		close(st.room)
		st.room = nil
	}
}
