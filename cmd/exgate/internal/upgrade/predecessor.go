package upgrade

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"github.com/exgate/exgate/runtime/listener/sockets"
)

// variable holds an inheritance as JSON.
const variable = "EXGATE_UPGRADE"

// The file descriptors of a new process.
const (
	readyPipe   = 3 // it writes ready, or an error, here
	goPipe      = 4 // reaches its end when devices may be accepted
	firstSocket = 5 // this one and the following are the sockets, in the order of the inheritance
)

// inheritance describes what a new process inherits. The two processes may have different versions of exgate: add
// fields, but never change fields or descriptors.
type inheritance struct {
	From    int                  `json:"from"` // the id of the process that started it
	Sockets []sockets.SocketFile `json:"sockets"`
}

// ready is the report of a new process that can take over.
const ready = "ready"

// Predecessor is the process that this one replaces. A nil *Predecessor means that it replaces none.
type Predecessor struct {
	// PID is its process id.
	PID int

	ready *os.File // nil after the report
	goOn  *os.File
}

// Inherit returns the process that this one replaces and its sockets. Without such a process it returns nil and the
// sockets of systemd's socket activation, if any. Call it before reading the configuration: it unsets the variables
// that it reads.
func Inherit() (*Predecessor, []sockets.SocketFile, error) {
	text, ok := os.LookupEnv(variable)
	_ = os.Unsetenv(variable)
	ofSystemd, err := sockets.FromSystemd()
	if !ok {
		return nil, ofSystemd, err
	}
	var got inheritance
	if err := json.Unmarshal([]byte(text), &got); err != nil {
		return nil, nil, fmt.Errorf("reading the variable %s, which only exgate itself sets: %w", variable, err)
	}
	if got.From != os.Getppid() {
		return nil, nil, fmt.Errorf("the variable %s is for a process started by process %d: remove it", variable,
			got.From)
	}
	for i := range got.Sockets {
		got.Sockets[i].File = inheritedFile(firstSocket + i)
	}
	return &Predecessor{PID: got.From, ready: inheritedFile(readyPipe), goOn: inheritedFile(goPipe)}, got.Sockets, nil
}

// inheritedFile wraps an inherited descriptor, which child processes will not inherit.
func inheritedFile(fd int) *os.File {
	unix.CloseOnExec(fd)
	_ = unix.SetNonblock(fd, true) // so that a read can be interrupted
	return os.NewFile(uintptr(fd), strconv.Itoa(fd))
}

// Ready reports that this process can take over, and waits for the old process to let it, or until ctx ends.
func (p *Predecessor) Ready(ctx context.Context) error {
	if p == nil {
		return nil
	}
	if err := p.tell(ready); err != nil {
		return fmt.Errorf("reporting to process %d: %w", p.PID, err)
	}
	stop := context.AfterFunc(ctx, func() { _ = p.goOn.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	// it also ends if the old process dies, and then this one must take over all the same
	_, _ = io.Copy(io.Discard, p.goOn)
	return errors.Join(ctx.Err(), p.goOn.Close())
}

// Failed reports why this process cannot take over. It does nothing after Ready.
func (p *Predecessor) Failed(err error) {
	if p == nil || p.ready == nil || err == nil {
		return
	}
	_ = p.tell(err.Error())
}

func (p *Predecessor) tell(text string) error {
	_, err := io.WriteString(p.ready, text)
	err = errors.Join(err, p.ready.Close())
	p.ready = nil
	return err
}
