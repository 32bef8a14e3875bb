package listener

import "time"

// SetCertificateWatch changes how often the certificate files are checked.
func (cfg *TLSConfig) SetCertificateWatch(interval time.Duration) { cfg.certificateWatch = interval }
