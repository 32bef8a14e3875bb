// Package access authenticates and authorizes devices where exgate decides instead of the broker: for the embedded
// broker, and for devices that share a broker connection.
//
// An [Authenticator] answers a login and may return the [Rules] for that client; a [Chain] tries several in order.
// There are three: [File] (users and rules in a file, also an [ACL]), [HTTP] (a web service) and [JWT] (tokens,
// verified with the keys of a keyring). The package imports runtime/gateway and leaves of internal/. HTTP has one
// mutex, and so have answerCache and keyring; none is held while another is taken. Begin reading at access.go.
package access
