// Package modules runs the modules of a folder: NAME.wasm with its settings in NAME.yaml. A new or changed file is read
// when it is no longer being written, checked, and swapped in while devices are connected. An invalid file changes
// nothing. Removing a file drains its module.
package modules
