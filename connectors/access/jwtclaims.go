package access

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/exgate/exgate/runtime/gateway"
)

// wantedClaim is a claim that must equal a string.
type wantedClaim struct {
	name, value string // value may contain placeholders
}

func parseWantedClaims(texts []string) ([]wantedClaim, error) {
	var wanted []wantedClaim
	for _, text := range texts {
		name, value, ok := strings.Cut(text, "=")
		if !ok || name == "" || value == "" {
			return nil, fmt.Errorf("claims of jwt: want NAME=VALUE such as sub=${clientid}, not %.100q", text)
		}
		if unknown := gateway.UnknownPlaceholder(value); unknown != "" {
			return nil,
				fmt.Errorf("claims of jwt: %s in %.100q is neither ${clientid}, ${username}, ${listener} nor ${module}",
					unknown, text)
		}
		wanted = append(wanted, wantedClaim{name, value})
	}
	return wanted, nil
}

// check returns why a correctly signed token is refused, or "". It also parses the token's rules.
func (j *JWT) check(token *verified, device gateway.Device) string {
	expected := jwt.Expected{Issuer: j.issuer}
	if j.audience != "" {
		expected.AnyAudience = jwt.Audience{j.audience}
	}
	if err := token.ValidateWithLeeway(expected, leeway); err != nil {
		return refusalOf(err)
	}
	for _, want := range j.claims {
		if !want.holds(token.all[want.name], device) {
			return fmt.Sprintf("claim %s of the token is not %s", want.name, want.value)
		}
	}
	if acl := token.all[j.aclClaim]; given(acl) {
		var err error
		if token.rules, err = parseRules(acl); err != nil {
			return fmt.Sprintf("claim %s of the token: %v", j.aclClaim, err)
		}
	}
	return ""
}

func refusalOf(err error) string {
	switch {
	case errors.Is(err, jwt.ErrExpired):
		return "the token has expired"
	case errors.Is(err, jwt.ErrNotValidYet):
		return "the token is not valid yet: nbf"
	case errors.Is(err, jwt.ErrIssuedInTheFuture):
		return "the token comes from the future: iat"
	case errors.Is(err, jwt.ErrInvalidIssuer):
		return "the token has another issuer: iss"
	case errors.Is(err, jwt.ErrInvalidAudience):
		return "the token is for another audience: aud"
	}
	return "a claim of the token is wrong"
}

func (want wantedClaim) holds(claim json.RawMessage, device gateway.Device) bool {
	value, _, ok := device.Fill(want.value)
	var got string
	return ok && given(claim) && json.Unmarshal(claim, &got) == nil && got == value
}

// allowed returns the answer for a token that check has accepted. The session may last as long as the token is
// accepted.
func (token *verified) allowed() Answer {
	answer := Answer{Decision: Allow, Rules: token.rules}
	if token.Expiry != nil {
		answer.Expires = token.Expiry.Time().Add(leeway)
	}
	return answer
}
