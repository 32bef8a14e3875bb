// Package acceptance plays the scenario of EMQX's own ExProto test suite against the whole gateway: over TCP, TLS, UDP
// and DTLS, with the handler as a gRPC service and as a module, on the embedded broker and on a real mosquitto.
package acceptance
