package access

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// farFuture is the limit for expire_at, in seconds: a time in milliseconds would be beyond it and would never come.
const farFuture = 1 << 36

var errNoObject = errors.New("the service did not answer with a JSON object")

// parseAnswer parses the body of a 200 in EMQX's format. It ignores unknown fields; result is required.
func parseAnswer(text []byte) (Answer, error) {
	var fields map[string]json.RawMessage
	if json.Unmarshal(text, &fields) != nil || fields == nil {
		return Answer{}, errNoObject
	}
	var result string
	if json.Unmarshal(fields["result"], &result) != nil {
		return Answer{}, errors.New("the service answered without a result: want allow, deny or ignore")
	}
	switch result {
	case "ignore":
		return Answer{Reason: "the service answered ignore"}, nil
	case "deny":
		return Answer{Decision: Deny, Reason: "the service answered deny"}, nil
	case "allow":
		return parseAllowed(fields)
	}
	return Answer{}, errors.New("the service answered with a result other than allow, deny, ignore")
}

func parseAllowed(fields map[string]json.RawMessage) (Answer, error) {
	answer := Answer{Decision: Allow}
	var err error
	if answer.Superuser, err = parseSuperuser(fields["is_superuser"]); err != nil {
		return Answer{}, err
	}
	if acl := fields["acl"]; given(acl) {
		if answer.Rules, err = parseRules(acl); err != nil {
			return Answer{}, fmt.Errorf("acl of the service's answer: %w", err)
		}
	}
	at := fields["expire_at"]
	if !given(at) {
		return answer, nil
	}
	var seconds int64
	if json.Unmarshal(at, &seconds) != nil || seconds <= 0 || seconds > farFuture {
		return Answer{}, errors.New("expire_at of the service's answer is not a unix time in seconds")
	}
	answer.Expires = time.Unix(seconds, 0)
	if !time.Now().Before(answer.Expires) {
		return Answer{Decision: Deny, Reason: "expire_at of the service's answer has passed"}, nil
	}
	return answer, nil
}

func given(value json.RawMessage) bool { return len(value) > 0 && string(value) != "null" }

// parseSuperuser accepts what services for EMQX send: a boolean, also as a number or a string.
func parseSuperuser(value json.RawMessage) (bool, error) {
	switch string(value) {
	case "", "null", "false", "0", `"false"`, `"0"`, `""`:
		return false, nil
	case "true", "1", `"true"`, `"1"`:
		return true, nil
	}
	return false, errors.New("is_superuser of the service's answer is neither true nor false")
}
