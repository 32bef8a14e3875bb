// Package remote lets a protocol handler run as a service of its own, in any language, over gRPC.
//
// Two directions make up ExProto. [Client] calls the handler: it is a [gateway.HandlerFactory], and each event of a connection becomes an
// RPC of the handler's service, or a message of a stream that connections share (see [ClientConfig]). [Adapter] is called by the handler: it
// serves ConnectionAdapter for the connections of all clients that were made with it. Handlers call it while they are inside a callback, so
// neither direction waits for the other.
//
// Protobuf types do not leave this package.
package remote
