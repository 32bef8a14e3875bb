// Package hostabi specifies exproto_v1, the contract between exgate and a protocol handler that is a WebAssembly
// module, and implements its host module. It imports leaves of internal/ only and has no lock. Begin reading at host.go
// and names.go.
//
// The contract has ExProto's events and calls: flat numbers and bytes on the path of every packet, protobuf messages
// for structures. The README in this folder is for guest authors. This package defines the names, numbers and
// signatures that host and guest must agree on; [Check] compares a module with them, and [Instantiate] provides the
// imports for a [Host].
//
// # Exports of a guest
//
//	memory
//	_initialize()                                           optional, called once before anything else
//	exproto_v1_buffer(size i32) -> ptr i32
//	exproto_v1_init(ptr i32, len i32) -> i32
//	exproto_v1_bytes(conn i64, ptr i32, len i32) -> action i32
//	exproto_v1_event(kind i32, conn i64, arg i64, ptr i32, len i32) -> action i32
//
// exproto_v1_buffer returns the address of at least size bytes, which the host writes events into. They belong to the
// host until the next call of exproto_v1_buffer. 0 refuses the size. exproto_v1_init receives the operator's
// configuration for the guest unchanged; any result but 0 refuses it. The two exports for events return an [Action].
//
// # Imports
//
// Module exproto_v1 contains the functions of [Host]. Their first parameter is a connection; an instance may use only
// connections between their [KindCreated] and [KindClosed], and for others they return [CodeConnProcessNotAlive]. A
// guest may also import wasi_snapshot_preview1 with clocks, random numbers, standard output and exit, but without
// files, arguments, environment and sockets.
//
// # Memory
//
// The host copies the data of an import's pointers before the import returns. The data of an event belongs to the guest
// until the export returns. A pointer and length outside the memory trap, because they are a bug of the guest. What the
// host's policy refuses returns a [Code].
//
// # Order
//
// Events of one connection are delivered one at a time and in order, [KindCreated] first and [KindClosed] last. The
// result of a call is never delivered inside the call: code 0 means that it was accepted, and [KindResult] with the
// guest's token is its outcome. The host never enters an instance during an import.
//
// # Versions
//
// Minor versions add kinds and imports and change nothing that exists. [Check] refuses a module with an import that the
// host lacks, so a guest needs no other way to say which minor version it was written for. Minor 1 added set_timer,
// [KindAlarm], publish_with and the properties of messages, save_state and the state in the [KindResult] of
// authenticate.
//
// # Faults
//
// After a trap, an exit or an exceeded limit, the instance is never entered again. Its connections are closed, and a
// new instance starts.
package hostabi
