package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/exgate/exgate/cmd/exgate/internal/config"
)

// The exit codes.
const (
	exitFailure = 1 // something failed at run time
	exitUsage   = 2 // the command line or the configuration is invalid
)

func main() { os.Exit(execute()) }

// execute runs the command line and returns the exit code.
func execute() int {
	err := newRoot().Execute()
	if err == nil {
		return 0
	}
	var problem config.Problem
	var problems config.Problems
	if errors.As(err, &problem) || errors.As(err, &problems) {
		fmt.Fprintln(os.Stderr, err)
		return exitUsage
	}
	fmt.Fprintln(os.Stderr, "exgate:", err)
	var usage usageError
	if errors.As(err, &usage) {
		return exitUsage
	}
	return exitFailure
}
