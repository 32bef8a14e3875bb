//go:build !linux

package doctor

// gatewayProcesses is not available on this system.
func gatewayProcesses() []int { return nil }

// holder is not available on this system.
func holder(string, string) (pid int, name string) { return 0, "" }
