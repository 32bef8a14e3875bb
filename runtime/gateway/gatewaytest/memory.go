package gatewaytest

import "runtime"

// MemoryInUse returns the bytes of heap and stacks in use after a garbage collection.
func MemoryInUse() uint64 {
	runtime.GC()
	runtime.GC() // a sync.Pool is emptied by the second one
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc + m.StackInuse
}
