//go:build wasip1

package exproto

import (
	"runtime"
	"unsafe"
)

// host is static in a module, so that arguments stay on the stack.
type host = imports

// instance is the only guest of the module.
var (
	instance Guest
	buffer   []byte
)

//go:wasmexport exproto_v1_buffer
func exportBuffer(size uint32) unsafe.Pointer {
	if uint32(len(buffer)) < size {
		buffer = make([]byte, size)
	}
	return unsafe.Pointer(unsafe.SliceData(buffer))
}

//go:wasmexport exproto_v1_init
func exportInit(p unsafe.Pointer, n uint32) int32 {
	config := append([]byte(nil), unsafe.Slice((*byte)(p), n)...)
	code := instance.Init(Served(), config)
	runtime.GC() // the gateway may copy this instance as it is now: a small heap makes a small copy
	return code
}

//go:wasmexport exproto_v1_bytes
func exportBytes(conn int64, p unsafe.Pointer, n uint32) int32 {
	return int32(instance.Bytes(conn, unsafe.Slice((*byte)(p), n)))
}

//go:wasmexport exproto_v1_event
func exportEvent(kind int32, conn, arg int64, p unsafe.Pointer, n uint32) int32 {
	return int32(instance.Event(kind, conn, arg, unsafe.Slice((*byte)(p), n)))
}
