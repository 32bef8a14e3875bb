// Package listenertest has what the tests of several kinds of listeners share: a gateway whose handlers echo, a
// certificate authority, and UDP clients. Only tests import it.
package listenertest
