// Package manifest has what a module says about itself: a custom section of its file, named [Section], with JSON. It is
// written by the build of a module, from a file such as exgate.json, and read by whoever runs or lists modules.
//
// A module needs no manifest. If it has one, a host refuses a malformed one. Everything in it is hostile: it is bounded
// before it is read, its texts have printable characters only, and a schema in it is never loaded from anywhere, never
// refers to itself and costs a bounded amount of work.
//
// Begin with [Of] and [Manifest] in manifest.go; schema.go has the configuration's schema, cost.go what it may cost.
package manifest
