package memory

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// controlGroup returns the smallest memory.max of the process's control group (version 2) and its ancestors; 0 without
// one.
func controlGroup() int64 {
	text, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return 0
	}
	_, path, ok := strings.Cut(string(text), "0::")
	if !ok {
		return 0
	}
	path, _, _ = strings.Cut(path, "\n")
	var smallest int64
	for dir := filepath.Clean("/" + path); ; dir = filepath.Dir(dir) {
		limit := readLimit("/sys/fs/cgroup" + dir + "/memory.max")
		if limit > 0 && (smallest == 0 || limit < smallest) {
			smallest = limit
		}
		if dir == "/" {
			return smallest
		}
	}
}

func readLimit(path string) int64 {
	text, err := os.ReadFile(path) //nolint:gosec // a file of the kernel
	if err != nil {
		return 0
	}
	n, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
	if err != nil {
		return 0 // "max"
	}
	return n
}

func machine() int64 {
	var info unix.Sysinfo_t
	if unix.Sysinfo(&info) != nil {
		return 0
	}
	return int64(uint64(info.Totalram) * uint64(info.Unit)) //nolint:unconvert // Totalram has 32 bits on some machines
}
