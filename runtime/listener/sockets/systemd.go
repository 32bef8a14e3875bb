package sockets

import (
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// firstSystemdSocket is the descriptor of the first socket that systemd passes, SD_LISTEN_FDS_START of
// sd_listen_fds(3).
const firstSystemdSocket = 3

// FromSystemd returns the sockets that systemd passed to this process (sd_listen_fds(3): LISTEN_PID, LISTEN_FDS,
// LISTEN_FDNAMES), or none if the variables are missing or meant for another process. It unsets the variables, so that
// child processes do not inherit them.
func FromSystemd() ([]SocketFile, error) {
	pid, count, names := os.Getenv("LISTEN_PID"), os.Getenv("LISTEN_FDS"), os.Getenv("LISTEN_FDNAMES")
	for _, name := range []string{"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES", "LISTEN_PIDFDID"} {
		_ = os.Unsetenv(name)
	}
	if pid != strconv.Itoa(os.Getpid()) {
		return nil, nil
	}
	n, err := strconv.ParseUint(count, 10, 16)
	if err != nil {
		return nil, fmt.Errorf("reading the variable LISTEN_FDS of socket activation: %w", err)
	}
	named := strings.Split(names, ":")
	files := make([]SocketFile, n)
	for i := range files {
		fd := firstSystemdSocket + i
		unix.CloseOnExec(fd)
		files[i] = SocketFile{Foreign: true, File: os.NewFile(uintptr(fd), strconv.Itoa(fd))}
		if i < len(named) {
			files[i].Name = named[i]
		}
	}
	return files, nil
}
