// Package convert translates between the gateway's types and those of ExProto, and has the sizes that both directions
// share. It may import runtime/gateway and the generated code in proto.
package convert
