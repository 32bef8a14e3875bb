package certs

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/exgate/exgate/runtime/gateway"
)

// attributeNames are the short names of RFC 4514, section 3. Other attributes are written as object identifiers.
var attributeNames = map[string]string{
	"2.5.4.3": "CN", "2.5.4.7": "L", "2.5.4.8": "ST", "2.5.4.10": "O", "2.5.4.11": "OU", "2.5.4.6": "C",
	"2.5.4.9":                    "STREET",
	"0.9.2342.19200300.100.1.25": "DC", "0.9.2342.19200300.100.1.1": "UID",
}

// Info describes a device's certificate to handlers.
func Info(cert *x509.Certificate) *gateway.CertificateInfo {
	return &gateway.CertificateInfo{
		CommonName:        cert.Subject.CommonName,
		DistinguishedName: distinguishedName(cert.RawSubject),
	}
}

// rawAttribute keeps the encoded value, for attributes without a short name.
type rawAttribute struct {
	Type  asn1.ObjectIdentifier
	Value asn1.RawValue
}

// rawNameSET is named with SET because encoding/asn1 takes a slice type's kind from its name.
type rawNameSET []rawAttribute

// distinguishedName formats a DER name as in RFC 4514, last part first. It returns an empty string if der is invalid.
func distinguishedName(der []byte) string {
	var name []rawNameSET
	if rest, err := asn1.Unmarshal(der, &name); err != nil || len(rest) > 0 {
		return ""
	}
	var b strings.Builder
	for i := len(name) - 1; i >= 0; i-- {
		if b.Len() > 0 {
			b.WriteByte(',')
		}
		for j, a := range name[i] {
			if j > 0 {
				b.WriteByte('+')
			}
			writeAttribute(&b, a)
		}
	}
	return b.String()
}

func writeAttribute(b *strings.Builder, a rawAttribute) {
	oid := a.Type.String()
	var value pkix.AttributeTypeAndValue
	text, ok := "", false
	if _, err := asn1.Unmarshal(a.Value.FullBytes, &value.Value); err == nil {
		text, ok = value.Value.(string)
	}
	if name, known := attributeNames[oid]; known && ok {
		b.WriteString(name + "=" + escapeValue(text))
		return
	}
	b.WriteString(oid + "=#" + hex.EncodeToString(a.Value.FullBytes))
}

// escapeValue escapes s as required by RFC 4514, section 2.4, and also control characters, so that a name cannot break
// a log line.
func escapeValue(s string) string {
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		switch {
		case c < 0x20 || c == 0x7f:
			fmt.Fprintf(&b, `\%02X`, c)
		case strings.IndexByte(`"+,;<>\`, c) >= 0, i == 0 && (c == ' ' || c == '#'), i == len(s)-1 && c == ' ':
			b.WriteByte('\\')
			b.WriteByte(c)
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}
