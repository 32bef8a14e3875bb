// Package handlerv1 is the Go code of exgate's own streaming contract, exgate.handler.v1.
//
// The contract is handler.proto in this folder. Handlers in Go have proto/sdk/go, which hides it.
package handlerv1

//go:generate go -C ../../.. tool -modfile=../.tools/buf/go.mod buf generate
