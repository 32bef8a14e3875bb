// Package adapter serves ConnectionAdapter of ExProto: handlers call it to act on their connections.
//
// A call passes preface.go and internal/guard, which limit connections, and admission.go, which checks its headers.
// Then calls.go looks the connection up in directory.go and executes the call, or forward.go sends it to another node
// through internal/peer. RawPublish is in rawpublish.go. Begin reading at adapter.go.
//
// The adapter knows no dialect: the client of a handler registers with [Adapter.Register] and adds its connections. It
// may import runtime/gateway and runtime/remote/internal. The locks of scopes and rawPublishes are each held alone.
package adapter
