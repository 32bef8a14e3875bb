package handlertest

import "fmt"

// Secret is a part of every password of the suite. It must not appear in any log or in the output of a handler process.
const Secret = "xyzzy"

// The upstream refuses wrongPassword.
const (
	rightPassword = Secret + "-right"
	wrongPassword = Secret + "-wrong"
)

// The frames of the JSON echo protocol.
const (
	connected = `{"type":2,"code":0}`
	refused   = `{"type":2,"code":1}`
)

func connect(clientID string) string {
	return fmt.Sprintf(`{"type":1,"clientinfo":{"proto_name":"demo","proto_ver":"v0.1","clientid":%q},"password":%q}`,
		clientID, rightPassword)
}

func publish(topic string, qos int, payload string) string {
	return fmt.Sprintf(`{"type":3,"topic":%q,"qos":%d,"payload":%q}`, topic, qos, payload)
}

func subscribe(filter string) string  { return fmt.Sprintf(`{"type":5,"topic":%q,"qos":1}`, filter) }
func unsubscribeFrom(f string) string { return fmt.Sprintf(`{"type":7,"topic":%q}`, f) }
func ack(kind, code int) string       { return fmt.Sprintf(`{"type":%d,"code":%d}`, kind, code) }
