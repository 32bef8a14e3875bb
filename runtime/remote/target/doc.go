// Package target has what all dialects share: a handler with its backends, the policy for its failures, and how events
// wait for it.
//
// Package remote makes a [Target] and gives it to the dialects, packages callback and session. They report each failed
// call to [Target.Failed], which counts and logs the failure and returns the error that closes the connection;
// [OnFailure] decides whether to retry. Begin reading at target.go, then failure.go and onfailure.go.
//
// It may import runtime/gateway, runtime/remote/internal and internal. Its only lock guards failureLog and is held
// alone.
package target
