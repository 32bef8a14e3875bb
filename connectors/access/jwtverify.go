package access

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// verified is the claims of a correctly signed token.
type verified struct {
	jwt.Claims
	all   map[string]json.RawMessage
	rules *Rules // from the ACL claim; nil without one
}

// looksLikeJWT reports whether a password has the form of a token: three parts, or five if encrypted, the first a
// header with an algorithm.
func looksLikeJWT(password string) bool {
	first, _, _ := strings.Cut(password, ".")
	if parts := strings.Count(password, ".") + 1; parts != 3 && parts != 5 {
		return false
	}
	text, err := base64.RawURLEncoding.DecodeString(first)
	var header struct {
		Alg *string `json:"alg"`
	}
	return err == nil && json.Unmarshal(text, &header) == nil && header.Alg != nil
}

// verify returns the claims, or why the token is refused. It refreshes the keys if the token names an unknown one.
func (j *JWT) verify(ctx context.Context, password string) (_ *verified, refusal string, _ error) {
	token, err := jwt.ParseSigned(password, j.algorithms)
	if err != nil {
		return nil, "the token is malformed, or not signed with " + namesOf(j.algorithms), nil
	}
	header := token.Headers[0]
	algorithm := jose.SignatureAlgorithm(header.Algorithm)
	if v, refusal := tryKeys(token, j.keys.find(algorithm, header.KeyID)); v != nil || j.keys.has(header.KeyID) {
		return v, refusal, nil
	}
	if err := j.keys.renew(ctx); err != nil {
		return nil, "", err
	}
	v, refusal := tryKeys(token, j.keys.find(algorithm, header.KeyID))
	if v == nil && !j.keys.has(header.KeyID) {
		if err := j.keys.trouble(); err != nil {
			return nil, "", fmt.Errorf("the token's key is not available: %w", err)
		}
	}
	return v, refusal, nil
}

// tryKeys returns the claims if one of keys has signed the token.
func tryKeys(token *jwt.JSONWebToken, keys []any) (*verified, string) {
	if len(keys) == 0 {
		return nil, "no key matches the token's algorithm and key id"
	}
	for _, key := range keys {
		v := &verified{}
		switch err := token.Claims(key, &v.Claims, &v.all); {
		case err == nil:
			return v, ""
		case !errors.Is(err, jose.ErrCryptoFailure):
			return nil, "a claim of the token has the wrong type"
		}
	}
	return nil, "the token's signature is wrong"
}
