package sockets

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// inheritedSocket is a listening socket that another process opened. Either listener or packets is set.
type inheritedSocket struct {
	SocketFile
	listener net.Listener
	packets  net.PacketConn
}

// inherit creates a socket from file and closes file.
func inherit(file SocketFile) (*inheritedSocket, error) {
	defer func() { _ = file.File.Close() }()
	in := &inheritedSocket{SocketFile: file}
	if err := in.open(); err != nil {
		return nil, fmt.Errorf("taking the inherited socket %s: %w", file.describe(), err)
	}
	in.File = nil
	unlinkOnClose(in.listener, false)
	return in, nil
}

func (in *inheritedSocket) open() error {
	fd := int(in.File.Fd())
	kind, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TYPE)
	if err != nil {
		return fmt.Errorf("not a socket: %w", err)
	}
	if kind == unix.SOCK_DGRAM {
		in.packets, err = net.FilePacketConn(in.File)
	} else {
		if listens, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ACCEPTCONN); err == nil && listens == 0 {
			return fmt.Errorf("it is a connection and does not listen (a systemd socket unit needs Accept=no)")
		}
		in.listener, err = net.FileListener(in.File)
	}
	if err != nil {
		return err
	}
	switch network := in.bound().Network(); network {
	case "tcp", "udp", "unix":
		in.Network = network
	default:
		in.close()
		return fmt.Errorf("it is a %s socket: it must be tcp, udp or unix", network)
	}
	return nil
}

func (in *inheritedSocket) bound() net.Addr {
	if in.listener != nil {
		return in.listener.Addr()
	}
	return in.packets.LocalAddr()
}

func (in *inheritedSocket) close() {
	if in.listener != nil {
		_ = in.listener.Close()
		return
	}
	_ = in.packets.Close()
}

// as describes the socket for the next process.
func (in *inheritedSocket) as(name, network, address string) SocketFile {
	return SocketFile{Name: name, Network: network, Address: address, Foreign: in.Foreign}
}

func (in *inheritedSocket) control(network, address string, control Control) error {
	if control == nil {
		return nil
	}
	var socket any = in.listener
	if in.listener == nil {
		socket = in.packets
	}
	return withRawConn(socket, func(c rawConn) error { return control(network, address, c) })
}

// serves reports whether the socket matches a request.
func (in *inheritedSocket) serves(ctx context.Context, name, network, address string) bool {
	if strings.TrimRight(network, "46") != in.Network {
		return false
	}
	if in.Network == "unix" {
		return in.bound().String() == address
	}
	host, service, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	port, err := net.DefaultResolver.LookupPort(ctx, in.Network, service)
	if err != nil {
		return false
	}
	if port == 0 {
		return in.Name == name && in.Address == address
	}
	bound, err := netip.ParseAddrPort(in.bound().String())
	return err == nil && int(bound.Port()) == port && sameHost(ctx, bound.Addr(), host)
}

// sameHost reports whether host means bound. The unspecified addresses of both families are equal.
func sameHost(ctx context.Context, bound netip.Addr, host string) bool {
	if host == "" {
		return bound.IsUnspecified()
	}
	addresses, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return false
	}
	return slices.ContainsFunc(addresses, func(a netip.Addr) bool {
		a = a.Unmap()
		return a == bound.Unmap() || a.IsUnspecified() && bound.IsUnspecified()
	})
}
