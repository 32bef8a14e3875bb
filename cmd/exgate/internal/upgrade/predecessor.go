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

	"github.com/exgate/exgate/runtime/listener"
)

// variable holds an inheritance as JSON.
const variable = "EXGATE_UPGRADE"

// The descriptors that a new process finds.
const (
	readyPipe   = 3 // for ready, or for what is wrong
	goPipe      = 4 // ends when devices may be accepted
	firstSocket = 5 // and those after it: the sockets, in the order of the inheritance
)

// inheritance says what a new process got. Two versions of exgate speak here: fields are added and never changed, and neither are the descriptors.
type inheritance struct {
	From    int                   `json:"from"` // the process that started it
	Sockets []listener.SocketFile `json:"sockets"`
}

// ready is what the new process says when it could take over.
const ready = "ready"

// Predecessor is the process that this one replaces. A nil *Predecessor is none.
type Predecessor struct {
	// PID is its number.
	PID int

	ready *os.File // nil once it was told
	goOn  *os.File
}

// Inherit returns the process that this one replaces and the sockets that come from it; or, without one, nil and the sockets of systemd's socket
// activation, if any. It is called before the configuration is read, and removes the variables that it reads.
func Inherit() (*Predecessor, []listener.SocketFile, error) {
	text, ok := os.LookupEnv(variable)
	_ = os.Unsetenv(variable)
	ofSystemd, err := listener.SystemdSockets()
	if !ok {
		return nil, ofSystemd, err
	}
	var got inheritance
	if err := json.Unmarshal([]byte(text), &got); err != nil {
		return nil, nil, fmt.Errorf("reading the variable %s, which only exgate itself sets: %w", variable, err)
	}
	if got.From != os.Getppid() {
		return nil, nil, fmt.Errorf("the variable %s is for a process started by process %d: remove it", variable, got.From)
	}
	for i := range got.Sockets {
		got.Sockets[i].File = inheritedFile(firstSocket + i)
	}
	return &Predecessor{PID: got.From, ready: inheritedFile(readyPipe), goOn: inheritedFile(goPipe)}, got.Sockets, nil
}

// inheritedFile is an inherited descriptor, which processes started from here do not inherit.
func inheritedFile(fd int) *os.File {
	unix.CloseOnExec(fd)
	_ = unix.SetNonblock(fd, true) // so that reading can be interrupted
	return os.NewFile(uintptr(fd), strconv.Itoa(fd))
}

// Ready says that this process can take over, and waits until it shall, or until ctx ends.
func (p *Predecessor) Ready(ctx context.Context) error {
	if p == nil {
		return nil
	}
	if err := p.tell(ready); err != nil {
		return fmt.Errorf("telling process %d that it can be replaced: %w", p.PID, err)
	}
	stop := context.AfterFunc(ctx, func() { _ = p.goOn.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	_, _ = io.Copy(io.Discard, p.goOn) // it ends with the process, too: then this one is needed all the more
	return errors.Join(ctx.Err(), p.goOn.Close())
}

// Failed says why this process does not take over. It does nothing after Ready.
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
