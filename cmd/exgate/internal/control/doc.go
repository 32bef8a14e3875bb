// Package control connects exgate commands to a running gateway over a unix socket of its process. The user of the
// gateway and root may send named requests and read the answers.
//
// A request is one line: its name, optionally followed by a space and a JSON object with arguments. Answers are lines
// of JSON; the last one has done or error. The format must remain compatible, because the gateway and the command may
// have different versions.
//
// Begin reading with control.go for the gateway's side and ask.go for the command's. It imports nothing of exgate.
package control
