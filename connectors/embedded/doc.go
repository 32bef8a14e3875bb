// Package embedded is the MQTT broker inside the gateway: for trying exgate out and for small sites that run nothing
// else.
//
// Devices of the gateway are attached to it directly, without a connection or a goroutine for each. Other MQTT clients
// reach it over TCP, where [Config].Bind is set; what they publish with QoS 1 or 2 is acknowledged as MQTT says, and
// what they subscribe to is delivered with QoS 0. Devices get the lower QoS of publish and subscription. Nothing is
// kept on disk, and sessions end with their connection.
package embedded
