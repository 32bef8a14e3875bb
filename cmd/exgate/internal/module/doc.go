// Package module implements exgate module: it creates, checks, runs, replays and measures WebAssembly modules.
package module
