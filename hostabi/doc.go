// Package hostabi is the specification of exproto_v1, the contract between exgate and a protocol handler that is a
// WebAssembly module, and its host module.
//
// It is ExProto's contract with the same events and calls: flat numbers and bytes where every packet goes, protobuf
// messages where a structure is needed. The README beside this file is the page for guest authors; here stand the
// names, numbers and signatures that host and guest must agree on, [Check], which compares a module with them, and
// [Instantiate], which provides the imports over a [Host].
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
// exproto_v1_buffer returns the address of at least size bytes that the host writes events into. They belong to the
// host until the next call of exproto_v1_buffer. 0 refuses the size. exproto_v1_init gets the operator's configuration
// for the guest, byte by byte as it was given; anything but 0 refuses it. The two that are events return an [Action].
//
// # Imports
//
// Module exproto_v1 has the functions of [Host]. They take a connection first, and an instance may name only
// connections that it was given by [KindCreated] and not yet lost by [KindClosed]: any other is
// [CodeConnProcessNotAlive]. Beside it there is wasi_snapshot_preview1 with clocks, random numbers, standard output and
// exit, and without files, arguments, environment or sockets.
//
// # Memory
//
// The host copies what an import points at before the import returns; what an event points at is the guest's to use
// until the export returns. A pointer and length outside the memory trap: they are a bug of the guest. What policy
// refuses returns a [Code].
//
// # Order
//
// Events of one connection come one at a time and in order, [KindCreated] first and [KindClosed] last. The results of
// calls never come inside the call: code 0 says that it was accepted, and [KindResult] brings the outcome with the
// guest's token. The host never enters an instance that is inside an import.
//
// # Faults
//
// After a trap, an exit, or a limit that was passed, the instance is never entered again. Its connections are closed,
// and a new instance starts.
package hostabi
