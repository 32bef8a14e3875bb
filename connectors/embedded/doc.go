// Package embedded is the MQTT broker inside the gateway, for trying out exgate and for small sites without a broker.
//
// Devices of the gateway are attached directly, without a connection or a goroutine each. Other MQTT clients connect
// over TCP if [Config].Listener is set: what they publish with QoS 1 or 2 is acknowledged as MQTT specifies, and they
// receive with QoS 0. Devices receive with the lower QoS of publish and subscription. Nothing is stored on disk, and
// sessions end with their connection. The package imports runtime/gateway, connectors/access, connectors/internal and
// leaves of internal/. Locks in order: Broker.mu, Session.mu, then those of topic.Index and retained;
// boundedListener.mu and outQueue.mu are separate and taken alone. Begin reading at broker.go, then session.go for
// devices and listener.go for network clients.
package embedded
