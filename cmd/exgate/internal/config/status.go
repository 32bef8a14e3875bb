package config

// DeviceStatus publishes which devices are connected. If nil, QoS is 1 and Retain is true.
type DeviceStatus struct {
	Topic   string `koanf:"topic"`
	Online  string `koanf:"online"`
	Offline string `koanf:"offline"`
	QoS     *int   `koanf:"qos" max:"2"`
	Retain  *bool  `koanf:"retain"`
}

// GatewayStatus publishes, as a retained message, whether the gateway is connected.
type GatewayStatus struct {
	Topic   string `koanf:"topic"`
	Online  string `koanf:"online"`
	Offline string `koanf:"offline"`
}

// statuses checks the topics for the status of devices and of the gateway.
func (r rules) statuses(u Upstream) {
	const device, own = "upstream.device_status", "upstream.gateway_status"
	if r.hasTopic(device, u.DeviceStatus.Topic, "devices/${clientid}/status") {
		if err := topicName(u.DeviceStatus.Topic); err != nil {
			r.problem(device+".topic", "%v", err)
		}
		r.moduleOfAll(device+".topic", u.DeviceStatus.Topic)
		r.formerly(r.cfg.origins.of(device+".topic"), device+".topic", u.DeviceStatus.Topic)
	}
	if r.hasTopic(own, u.GatewayStatus.Topic, "exgate/${node}/status") {
		if err := gatewayTopic(u.GatewayStatus.Topic); err != nil {
			r.problem(own+".topic", "%v", err)
		}
	}
}

// hasTopic requires a topic if the section key is present, and reports whether there is one to check.
func (r rules) hasTopic(key, topic, example string) bool {
	at, said := r.cfg.said(key)
	if !said || r.broken(key) {
		return false
	}
	if topic == "" {
		r.problems.add(at, key, "needs topic, such as %s", example)
	}
	return topic != ""
}
