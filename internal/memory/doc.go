// Package memory reports how much memory the process may use, for limits derived from it.
package memory
