// Package upgrade replaces a running gateway by a new process of the same program without closing a listening socket.
//
// The old process starts the new one with its listening sockets and two pipes. The new one opens everything that its
// configuration names, reports success or an error through the first pipe, and accepts devices once the second ends.
// Until it is ready the old process serves as if nothing had happened.
package upgrade
