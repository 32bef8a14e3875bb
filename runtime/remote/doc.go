// Package remote runs a protocol handler as a service of its own, in any language, over gRPC.
//
// ExProto has two directions. A [Client] calls the handler: it is a [gateway.HandlerFactory], and each event of a
// connection becomes an RPC, a message on a shared stream (package callback), or an event of a session (package
// session). The [Adapter] is called by the handler, to act on the connections of all clients that use it (package
// adapter). Handlers call the adapter during callbacks, so neither direction waits for the other.
//
// Begin reading at client.go, then follow the dialect that dialect.go chooses; auto.go finds it out. What the dialects
// share is in package target. This package imports all the others and none of them imports it. Its one lock, auto.mu,
// is held alone. Protobuf types do not leave runtime/remote.
package remote
