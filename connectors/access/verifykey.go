package access

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"

	"github.com/go-jose/go-jose/v4"
)

// minRSABits is from RFC 7518 section 3.3.
const minRSABits = 2048

// maxKeys limits the size of a key set: a token without a key id is tried with each key.
const maxKeys = 100

var (
	hmacAlgorithms = []jose.SignatureAlgorithm{jose.HS256, jose.HS384, jose.HS512}
	rsaAlgorithms  = []jose.SignatureAlgorithm{jose.RS256, jose.RS384, jose.RS512, jose.PS256, jose.PS384, jose.PS512}
	ecAlgorithms   = []jose.SignatureAlgorithm{jose.ES256, jose.ES384, jose.ES512}
	allAlgorithms  = slices.Concat(hmacAlgorithms, rsaAlgorithms, ecAlgorithms)

	digestBytes = map[jose.SignatureAlgorithm]int{jose.HS256: 32, jose.HS384: 48, jose.HS512: 64}
)

// verifyKey is a key and the algorithms it may be used with. These follow from the type of the key; otherwise a token
// could choose HS256 with a public key as the secret.
type verifyKey struct {
	id         string // empty: matches every id
	algorithms []jose.SignatureAlgorithm
	key        any
}

func newVerifyKey(id string, key any) (verifyKey, error) {
	switch key := key.(type) {
	case *rsa.PublicKey:
		if bits := key.N.BitLen(); bits < minRSABits {
			return verifyKey{}, fmt.Errorf("an RSA key of %d bits is too short: at least %d", bits, minRSABits)
		}
		return verifyKey{id, rsaAlgorithms, key}, nil
	case *ecdsa.PublicKey:
		algorithm, ok := map[elliptic.Curve]jose.SignatureAlgorithm{
			elliptic.P256(): jose.ES256, elliptic.P384(): jose.ES384, elliptic.P521(): jose.ES512,
		}[key.Curve]
		if !ok {
			return verifyKey{}, errors.New("an ECDSA key must use P-256, P-384 or P-521")
		}
		return verifyKey{id, []jose.SignatureAlgorithm{algorithm}, key}, nil
	}
	return verifyKey{}, errors.New("not an RSA or ECDSA public key")
}

// parseSecret returns a key for those of the algorithms that are HMAC. It fails if the secret is too short for one of
// them.
func parseSecret(text []byte, algorithms []jose.SignatureAlgorithm) ([]verifyKey, error) {
	secret := bytes.TrimSuffix(bytes.TrimSuffix(text, []byte("\n")), []byte("\r"))
	k := verifyKey{key: secret}
	for _, a := range algorithms {
		want, isHMAC := digestBytes[a]
		if !isHMAC {
			continue
		}
		if len(secret) < want {
			return nil, fmt.Errorf("the secret has %d bytes: %s needs at least %d", len(secret), a, want)
		}
		k.algorithms = append(k.algorithms, a)
	}
	if k.algorithms == nil {
		return nil, errors.New("a secret needs HS256, HS384 or HS512 in algorithms")
	}
	return []verifyKey{k}, nil
}

func parsePublicKey(text []byte) ([]verifyKey, error) {
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, errors.New("want a public key or a certificate in PEM")
	}
	var key any
	var err error
	switch block.Type {
	case "PUBLIC KEY":
		key, err = x509.ParsePKIXPublicKey(block.Bytes)
	case "RSA PUBLIC KEY":
		key, err = x509.ParsePKCS1PublicKey(block.Bytes)
	case "CERTIFICATE":
		var c *x509.Certificate
		if c, err = x509.ParseCertificate(block.Bytes); err == nil {
			key = c.PublicKey
		}
	default:
		return nil, fmt.Errorf("want a public key or a certificate in PEM, not %.40s", block.Type)
	}
	if err != nil {
		return nil, err
	}
	k, err := newVerifyKey("", key)
	return []verifyKey{k}, err
}

// parseJWKS parses a JSON Web Key Set (RFC 7517). It skips keys that are not for signatures or of an unsupported type.
func parseJWKS(text []byte) ([]verifyKey, error) {
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if json.Unmarshal(text, &set) != nil {
		return nil, errors.New("want a JSON Web Key Set")
	}
	if len(set.Keys) > maxKeys {
		return nil, fmt.Errorf("a set of %d keys is too large: at most %d", len(set.Keys), maxKeys)
	}
	var keys []verifyKey
	for _, each := range set.Keys {
		if k, ok := parseJWK(each); ok {
			keys = append(keys, k)
		}
	}
	if keys == nil {
		return nil, errors.New("the set contains no RSA or ECDSA public key for signatures")
	}
	return keys, nil
}

func parseJWK(text json.RawMessage) (verifyKey, bool) {
	var key jose.JSONWebKey
	if json.Unmarshal(text, &key) != nil || key.Use != "" && key.Use != "sig" {
		return verifyKey{}, false
	}
	k, err := newVerifyKey(key.KeyID, key.Key)
	if err != nil {
		return verifyKey{}, false
	}
	if only := jose.SignatureAlgorithm(key.Algorithm); only != "" {
		if !slices.Contains(k.algorithms, only) {
			return verifyKey{}, false
		}
		k.algorithms = []jose.SignatureAlgorithm{only}
	}
	return k, true
}
