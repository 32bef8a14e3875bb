package gatewaytest

import "runtime"

// MemoryInUse is the bytes of heap and stacks that are in use after a collection.
func MemoryInUse() uint64 {
	runtime.GC()
	runtime.GC() // a sync.Pool gives up what it holds at the second
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc + m.StackInuse
}
