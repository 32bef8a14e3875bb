package main

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// lineDevice is a device of the line protocol.
type lineDevice struct {
	net.Conn
	lines *bufio.Reader
}

// dialLine connects over tcp, tls or unix and reads the greeting.
func dialLine(network, address string) (*lineDevice, error) {
	c, err := dialDevice(network, address)
	if err != nil {
		return nil, err
	}
	d := &lineDevice{c, bufio.NewReader(c)}
	_ = c.SetDeadline(time.Now().Add(patience))
	if _, err := d.lines.ReadString('\n'); err != nil {
		_ = c.Close()
		return nil, fmt.Errorf("reading the greeting: %w", err)
	}
	return d, nil
}

func dialDevice(network, address string) (net.Conn, error) {
	d := &net.Dialer{Timeout: patience}
	if network == "tls" {
		return tls.DialWithDialer(d, "tcp", address, &tls.Config{InsecureSkipVerify: true})
	}
	return d.Dial(network, address)
}

// ping sends ping and reads pong.
func (d *lineDevice) ping() error {
	_ = d.SetDeadline(time.Now().Add(patience))
	if _, err := d.Write([]byte("ping\n")); err != nil {
		return err
	}
	line, err := d.lines.ReadString('\n')
	if err == nil && line != "pong\n" {
		err = fmt.Errorf("got %q", line)
	}
	return err
}

// certificate writes a certificate for 127.0.0.1 and its key, and returns their paths.
func certificate(t testing.TB) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	cert, key = filepath.Join(folder, "cert.pem"), filepath.Join(folder, "key.pem")
	err = errors.Join(
		os.WriteFile(cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600),
		os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}), 0o600))
	if err != nil {
		t.Fatal(err)
	}
	return cert, key
}
