package startimage

import (
	"bytes"
	"fmt"
	"os"
	"unsafe"

	"github.com/tetratelabs/wazero/experimental"
	"golang.org/x/sys/unix"
)

// source is a memory file with the content of the image.
type source struct {
	fd   int
	size int
}

func newSource(content []byte) (*source, error) {
	fd, err := unix.MemfdCreate("exgate-start-image", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		return nil, fmt.Errorf("creating a memory file: %w", err)
	}
	s := &source{fd: fd, size: len(content)}
	if err := s.fill(content); err != nil {
		_ = s.close()
		return nil, err
	}
	return s, nil
}

// fill writes the pages that are not all zero, and seals the file, so that no clone loses a page or sees it change.
func (s *source) fill(content []byte) error {
	if err := unix.Ftruncate(s.fd, int64(len(content))); err != nil {
		return fmt.Errorf("sizing the memory file: %w", err)
	}
	page := os.Getpagesize()
	zero := make([]byte, page)
	for at := 0; at < len(content); at += page {
		p := content[at:min(at+page, len(content))]
		if bytes.Equal(p, zero[:len(p)]) {
			continue
		}
		if n, err := unix.Pwrite(s.fd, p, int64(at)); err != nil || n != len(p) {
			return fmt.Errorf("writing %d bytes of the memory file: %d, %w", len(p), n, err)
		}
	}
	const seals = unix.F_SEAL_SEAL | unix.F_SEAL_SHRINK | unix.F_SEAL_GROW | unix.F_SEAL_WRITE
	if _, err := unix.FcntlInt(uintptr(s.fd), unix.F_ADD_SEALS, seals); err != nil {
		return fmt.Errorf("sealing the memory file: %w", err)
	}
	return nil
}

func (s *source) close() error { return unix.Close(s.fd) }

// memory reserves most bytes of address space and maps the image to the beginning.
func (s *source) memory(most uint64) (experimental.LinearMemory, error) {
	reserved, err := unix.MmapPtr(-1, 0, nil, uintptr(most), unix.PROT_NONE,
		unix.MAP_PRIVATE|unix.MAP_ANON|unix.MAP_NORESERVE)
	if err != nil {
		return nil, fmt.Errorf("reserving %d bytes of addresses: %w", most, err)
	}
	m := &mapped{base: reserved, most: uintptr(most), usable: uintptr(s.size)}
	flags := unix.MAP_PRIVATE | unix.MAP_FIXED | unix.MAP_NORESERVE
	if s.size == 0 {
		return m, nil
	}
	if _, err := unix.MmapPtr(s.fd, 0, reserved, uintptr(s.size), unix.PROT_READ|unix.PROT_WRITE, flags); err != nil {
		m.Free()
		return nil, fmt.Errorf(
			"mapping the start image (sysctl vm.max_map_count bounds how many mappings a process has): %w",
			err,
		)
	}
	return m, nil
}

// mapped is a reserved range of addresses of which the first bytes are usable.
type mapped struct {
	base   unsafe.Pointer // nil once freed
	most   uintptr
	usable uintptr
}

// Reallocate makes the first size bytes usable. They never move.
func (m *mapped) Reallocate(size uint64) []byte {
	if m.base == nil || size > uint64(m.most) {
		return nil
	}
	if wanted := uintptr(size); wanted > m.usable {
		end := unsafe.Add(m.base, m.usable)
		more := unsafe.Slice((*byte)(end), wanted-m.usable) //nolint:gosec // below most, which is reserved
		if unix.Mprotect(more, unix.PROT_READ|unix.PROT_WRITE) != nil {
			return nil
		}
		_ = unix.Madvise(more, unix.MADV_NOHUGEPAGE) // otherwise a guest that touches a byte takes 2 MiB
		m.usable = wanted
	}
	return unsafe.Slice((*byte)(m.base), size) //nolint:gosec // not above most, which is reserved
}

// Free unmaps the memory. If code of the instance is still running, the process crashes.
func (m *mapped) Free() {
	if m.base != nil {
		_ = unix.MunmapPtr(m.base, m.most)
		m.base = nil
	}
}
