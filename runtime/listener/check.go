package listener

import "log/slog"

// Check reads the files and looks for what [ListenTLS] would refuse, without opening a socket.
func (cfg TLSConfig) Check() error {
	cfg.Logger, cfg.Metrics = slog.New(slog.DiscardHandler), NewMetrics(nil)
	_, err := newSecure(cfg)
	return err
}
