package certs

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func derName(t *testing.T, rdns ...pkix.RelativeDistinguishedNameSET) []byte {
	t.Helper()
	der, err := asn1.Marshal(pkix.RDNSequence(rdns))
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func rdn(pairs ...any) (set pkix.RelativeDistinguishedNameSET) {
	for i := 0; i < len(pairs); i += 2 {
		set = append(set, pkix.AttributeTypeAndValue{Type: pairs[i].(asn1.ObjectIdentifier), Value: pairs[i+1]})
	}
	return set
}

var (
	oidCN    = asn1.ObjectIdentifier{2, 5, 4, 3}
	oidOU    = asn1.ObjectIdentifier{2, 5, 4, 11}
	oidDC    = asn1.ObjectIdentifier{0, 9, 2342, 19200300, 100, 1, 25}
	oidUID   = asn1.ObjectIdentifier{0, 9, 2342, 19200300, 100, 1, 1}
	oidOther = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 1466, 0}
)

// The examples of RFC 4514, section 4, and what a hostile device might put into its name.
func TestDistinguishedName(t *testing.T) {
	for _, c := range []struct {
		name []byte
		want string
	}{
		{derName(t, rdn(oidDC, "net"), rdn(oidDC, "example"), rdn(oidUID, "jsmith")), "UID=jsmith,DC=example,DC=net"},
		{derName(t, rdn(oidDC, "net"), rdn(oidOU, "Sales", oidCN, "J.  Smith")), "OU=Sales+CN=J.  Smith,DC=net"},
		{derName(t, rdn(oidCN, `James "Jim" Smith, III`)), `CN=James \"Jim\" Smith\, III`},
		{derName(t, rdn(oidCN, "Before\rAfter")), `CN=Before\0DAfter`},
		{derName(t, rdn(oidOther, []byte("Hi"))), "1.3.6.1.4.1.1466.0=#04024869"},
		{derName(t, rdn(oidCN, "Lučić")), "CN=Lučić"},
		{derName(t, rdn(oidCN, " #x ")), `CN=\ #x\ `},
		{derName(t, rdn(oidCN, "#x")), `CN=\#x`},
		{derName(t, rdn(oidCN, "a\x00b\nc")), `CN=a\00b\0Ac`},
		{derName(t, rdn(oidCN, "")), "CN="},
		{derName(t), ""},
		{[]byte{0x30, 0x7f, 0x01}, ""},
		{nil, ""},
	} {
		if got := distinguishedName(c.name); got != c.want {
			t.Errorf("%q, not %q", got, c.want)
		}
	}
}

// OpenSSL writes the same.
func TestDistinguishedNameIsOpenSSLs(t *testing.T) {
	openssl, err := exec.LookPath("openssl")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("openssl is missing: apt-get install openssl")
		}
		t.Skip("openssl is missing: apt-get install openssl")
	}
	file := filepath.Join(t.TempDir(), "device.crt")
	out, err := exec.CommandContext(t.Context(), openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt",
		"ec_paramgen_curve:P-256", "-nodes", "-utf8",
		"-keyout", "/dev/null", "-out", file, "-subj",
		`/DC=net/DC=example/C=DE/O=Würth \+ Söhne, "Ulm" /CN=pump;<7>/UID=#9`).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	want, err := exec.CommandContext(t.Context(), openssl, "x509", "-in", file, "-noout", "-subject", "-nameopt",
		"RFC2253,-esc_msb,utf8").Output()
	if err != nil {
		t.Fatal(err)
	}
	cert := parseCertificate(t, file)
	if got := distinguishedName(cert.RawSubject); "subject="+got != strings.TrimSpace(string(want)) {
		t.Errorf("%s, not %s", got, want)
	}
}

func parseCertificate(t *testing.T, file string) *x509.Certificate {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(content)
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}
