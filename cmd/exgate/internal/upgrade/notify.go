package upgrade

import (
	"fmt"
	"net"
	"os"
)

// Notify tells systemd the state of this process, as sd_notify(3) does; READY=1 is one. It does nothing where nobody asked for it (NOTIFY_SOCKET).
func Notify(state string) error {
	path := os.Getenv("NOTIFY_SOCKET")
	if path == "" {
		return nil
	}
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		return fmt.Errorf("notifying systemd: %w", err)
	}
	_, err = conn.Write([]byte(state))
	_ = conn.Close()
	if err != nil {
		return fmt.Errorf("notifying systemd: %w", err)
	}
	return nil
}
