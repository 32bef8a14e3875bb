package doctor

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// gatewayProcesses returns the processes on this machine that exgate upgrade can reach.
func gatewayProcesses() (pids []int) {
	sockets, _ := os.ReadFile("/proc/net/unix")
	for line := range bytes.Lines(sockets) {
		_, name, found := strings.Cut(strings.TrimSpace(string(line)), "@exgate/")
		if pid, err := strconv.Atoi(name); found && err == nil && pid > 0 {
			pids = append(pids, pid)
		}
	}
	return pids
}

// holder returns the process that listens on the port of bind, and its name. It returns 0 if that is not visible, as
// for processes of other users.
func holder(network, bind string) (pid int, name string) {
	_, port, err := net.SplitHostPort(bind)
	if err != nil {
		return 0, ""
	}
	number, err := strconv.ParseUint(port, 10, 16)
	if err != nil || number == 0 {
		return 0, ""
	}
	wanted := make(map[string]bool)
	for _, table := range []string{network, network + "6"} {
		for _, inode := range listening("/proc/net/"+table, network == "tcp", number) {
			wanted["socket:["+inode+"]"] = true
		}
	}
	if len(wanted) == 0 {
		return 0, ""
	}
	return owner(wanted)
}

// listening returns the inodes of sockets on a port, from a table in the format of proc(5).
func listening(table string, tcp bool, port uint64) (inodes []string) {
	const stateListen = "0A"
	data, _ := os.ReadFile(table)
	suffix := fmt.Sprintf(":%04X", port)
	for line := range bytes.Lines(data) {
		fields := strings.Fields(string(line))
		if len(fields) > 9 && strings.HasSuffix(fields[1], suffix) && (!tcp || fields[3] == stateListen) {
			inodes = append(inodes, fields[9])
		}
	}
	return inodes
}

// owner returns the first process that has one of the sockets open.
func owner(sockets map[string]bool) (pid int, name string) {
	links, _ := filepath.Glob("/proc/[0-9]*/fd/*")
	for _, link := range links {
		if target, err := os.Readlink(link); err != nil || !sockets[target] {
			continue
		}
		process := filepath.Dir(filepath.Dir(link))
		pid, _ = strconv.Atoi(filepath.Base(process))
		comm, _ := os.ReadFile(filepath.Join(process, "comm"))
		return pid, strings.TrimSpace(string(comm))
	}
	return 0, ""
}
