package main

// The parts of the rooms: what each is for, and its path or file.
var (
	listenerParts = [][2]string{
		{"TCP, TLS, unix sockets", "runtime/listener"},
		{"who may connect", "runtime/listener/admission"},
		{"WebSocket", "runtime/listener/ws"},
		{"devices that are servers", "runtime/listener/dial"},
		{"UDP peers", "runtime/listener/udp"},
		{"DTLS sessions", "runtime/listener/dtls"},
	}
	gatewayParts = [][2]string{
		{"reading: rates, pauses", "reading.go"},
		{"connection: one event at a time", "conn.go"},
		{"calls of the handler", "calls.go"},
		{"inbox: messages, results, timers", "inbox.go"},
		{"send queue", "sendqueue.go"},
	}
	connectorParts = [][2]string{
		{"device and shared sessions", "connectors/mqtt"},
		{"connections and calls", "connectors/mqtt/client"},
		{"messages kept on disk", "connectors/internal/spool"},
		{"who may log in, rules", "connectors/access"},
		{"embedded broker", "connectors/embedded"},
	}
	handlerParts = [][2]string{
		{"WebAssembly modules", "runtime/wasm"},
		{"gRPC services", "runtime/remote"},
		{"versions, canaries", "runtime/wasm/rollout"},
		{"calls from handlers", "runtime/remote/adapter"},
	}
)
