// Package exproto is the Go code of the ExProto contract, emqx.exproto.v1.
//
// The contract is exproto.proto in this folder. Only runtime/remote speaks it in the gateway; handlers written in Go
// may import it too.
package exproto

//go:generate go -C .. tool -modfile=../.tools/buf/go.mod buf generate
