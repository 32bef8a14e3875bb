// Package modules keeps the modules of a folder: NAME.wasm, with its settings in NAME.yaml beside it. A file that is new or changes is read when nobody
// writes to it any longer, checked, and swapped in while devices are connected; one that is bad changes nothing. One that goes drains its module.
package modules
