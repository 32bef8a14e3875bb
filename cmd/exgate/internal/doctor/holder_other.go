//go:build !linux

package doctor

// gatewayProcesses cannot be known.
func gatewayProcesses() []int { return nil }

// holder cannot be known.
func holder(string, string) (pid int, name string) { return 0, "" }
