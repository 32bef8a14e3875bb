package service

import (
	"log/slog"

	"github.com/exgate/exgate/cmd/exgate/internal/config"
	"github.com/exgate/exgate/cmd/exgate/internal/tlsfiles"
	"github.com/exgate/exgate/connectors/mqtt"
)

// mqttConfig converts the configuration of the broker to the connector's type, without metrics.
func (s *Service) mqttConfig() (cfg mqtt.Config, err error) {
	u := s.config().Upstream
	cfg = mqtt.Config{
		URLs: u.URL, Node: s.gateway.Node(), Username: u.Username,
		ConnectTimeout: u.ConnectTimeout, PacketTimeout: u.PacketTimeout, AckTimeout: u.AckTimeout,
		KeepAlive: u.KeepAlive, SessionExpiry: u.SessionExpiry, CleanStart: u.CleanStart,
		MaxDials: u.MaxDials, ReconnectDelay: u.ReconnectDelay,
		ReceiveMaximum: uint16(u.ReceiveMaximum), MaxPacketSize: uint32(u.MaxPacketSize),
		ControlTopic: u.ControlTopic, StateTopic: stateTopic(u), MessageExpiry: u.MessageExpiry,
		UserProperties: u.UserProperties,
		DeviceStatus:   deviceStatus(u.DeviceStatus), GatewayStatus: gatewayStatus(u.GatewayStatus),
		Spool: spool(u.Spool), Logger: s.log,
	}
	if cfg.Password, err = readToken(s.config(), "upstream.password_file", u.PasswordFile); err != nil {
		return cfg, err
	}
	if s.config().Said("upstream.tls") {
		if cfg.TLS, err = tlsfiles.Client(u.TLS.Client()); err != nil {
			return cfg, s.config().Problem("upstream.tls", "%v", err)
		}
		cfg.TLS.NextProtos = u.TLS.ALPN
	}
	return cfg, nil
}

// Upstream returns the configuration of the external broker.
func Upstream(cfg *config.Config) (mqtt.Config, error) {
	if !cfg.Upstream.Elsewhere() {
		return mqtt.Config{}, cfg.Problem("upstream.url", "upstream.url is not set")
	}
	s := newService(cfg, slog.New(slog.DiscardHandler), Succession{})
	return s.mqttConfig()
}

func deviceStatus(of config.DeviceStatus) mqtt.Status {
	s := mqtt.Status{Topic: of.Topic, Online: of.Online, Offline: of.Offline, QoS: 1, Retain: true}
	if of.QoS != nil {
		s.QoS = byte(*of.QoS)
	}
	if of.Retain != nil {
		s.Retain = *of.Retain
	}
	return s
}

// gatewayStatus is always retained, so that later subscribers receive it.
func gatewayStatus(of config.GatewayStatus) mqtt.Status {
	return mqtt.Status{Topic: of.Topic, Online: of.Online, Offline: of.Offline, QoS: 1, Retain: true}
}

func spool(of config.Spool) mqtt.SpoolConfig {
	return mqtt.SpoolConfig{
		Folder: of.Folder, MaxBytes: int64(of.MaxBytes), MaxBytesPerDevice: int64(of.MaxBytesPerDevice),
		MaxAge: of.MaxAge, DropOldest: of.WhenFull == "drop_oldest", DrainRate: float64(of.DrainRate),
	}
}
