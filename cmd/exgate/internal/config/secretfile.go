package config

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"golang.org/x/net/http/httpguts"

	"github.com/exgate/exgate/internal/boundedfile"
)

// maxToken bounds a token, in bytes: it goes into a header of each call.
const maxToken = 4096

// ReadToken reads a secret from a file: its only line, of printable ASCII. Errors do not quote it.
func ReadToken(name string) (string, error) {
	data, err := boundedfile.Read(name, maxToken+2) // and a line end
	switch {
	case errors.Is(err, boundedfile.ErrTooLarge):
		return "", fmt.Errorf("%s is larger than %d bytes: is it a token?", name, maxToken)
	case err != nil:
		return "", fmt.Errorf("%s: %w", name, cause(err))
	}
	token := strings.TrimSpace(string(data))
	switch {
	case token == "":
		return "", fmt.Errorf("%s is empty: it must contain a token", name)
	case len(token) > maxToken:
		return "", fmt.Errorf("%s is larger than %d bytes: is it a token?", name, maxToken)
	case strings.ContainsFunc(token, func(c rune) bool { return c < '!' || c > '~' }):
		return "", fmt.Errorf("%s must contain one line without spaces", name)
	}
	return token, nil
}

// tokenFile checks a file with a secret, if one is named.
func (r rules) tokenFile(key, name string) {
	r.file(key, name)
	if name == "" || r.broken(key) {
		return
	}
	if _, err := ReadToken(name); err != nil {
		r.problem(key, "%v", err)
	}
}

// maxHeaders bounds a file of headers, in bytes.
const maxHeaders = 16 << 10

// ReadHeaders reads the headers of requests from a file: "Name: value", one per line; empty lines and lines that begin
// with # are ignored. Errors name the line but do not quote it: headers may hold secrets.
func ReadHeaders(name string) (http.Header, error) {
	data, err := boundedfile.Read(name, maxHeaders)
	switch {
	case errors.Is(err, boundedfile.ErrTooLarge):
		return nil, fmt.Errorf("%s is larger than %d bytes: does it contain headers?", name, maxHeaders)
	case err != nil:
		return nil, fmt.Errorf("%s: %w", name, cause(err))
	}
	return parseHeaders(name, string(data))
}

func parseHeaders(name, text string) (http.Header, error) {
	headers := make(http.Header)
	for i, line := range strings.Split(text, "\n") {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		field, value, ok := strings.Cut(line, ":")
		value = strings.TrimSpace(value)
		if !ok || !httpguts.ValidHeaderFieldName(field) || !httpguts.ValidHeaderFieldValue(value) {
			return nil, fmt.Errorf("%s:%d: must be a header such as Authorization: Bearer TOKEN", name, i+1)
		}
		headers.Add(field, value)
	}
	return headers, nil
}

// headersFile checks a file of headers, if one is named.
func (r rules) headersFile(key, name string) {
	r.file(key, name)
	if name == "" || r.broken(key) {
		return
	}
	if _, err := ReadHeaders(name); err != nil {
		r.problem(key, "%v", err)
	}
}
