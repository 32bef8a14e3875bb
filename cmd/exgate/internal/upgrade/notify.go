package upgrade

import (
	"fmt"
	"net"
	"os"
)

// Notify reports a state such as READY=1 to systemd, as sd_notify(3) does. It does nothing if NOTIFY_SOCKET is not set.
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
