// Package access knows who may log in and what they may do, where no broker is asked: for the embedded broker, and for
// devices that share connections to a broker.
//
// An [Authenticator] says who a client is and may say what it may do. Several are asked one after the other as a
// [Chain]. A [File] of users and rules is one.
package access
