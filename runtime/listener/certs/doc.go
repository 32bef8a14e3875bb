// Package certs loads the certificate, key and CA files of a listener, reloads them when they change, and describes the
// certificate of a device. A file that cannot be used leaves the previous certificate in place.
//
// It imports internal/watch and, for [gateway.CertificateInfo], runtime/gateway.
//
// Lock: Files.mu, taken alone, serializes reloads. Begin reading at files.go.
package certs
