// Package module is the tools of people who write handlers as WebAssembly modules: it begins, checks, runs, replays and measures them.
package module
