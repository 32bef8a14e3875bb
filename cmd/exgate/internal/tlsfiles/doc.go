// Package tlsfiles builds the TLS configurations of the gateway's gRPC and HTTP connections from the files in its
// configuration.
//
// Certificates are read for each handshake, so renewed files take effect without a restart. If a file cannot be read,
// the last good certificate stays in use. Authorities are read once. It imports config only.
package tlsfiles
