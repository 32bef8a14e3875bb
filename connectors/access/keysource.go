package access

import (
	"context"
	"crypto/tls"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/exgate/exgate/internal/boundedfile"
)

const (
	jwksTimeout = 5 * time.Second
	maxJWKS     = 1 << 20 // bytes, also for files
)

// keySource is a file or URL that provides keys.
type keySource struct {
	name  string
	set   bool // its keys have ids, and new ones may appear at any time
	later bool // it may be unavailable when the gateway starts
	read  func(context.Context) ([]verifyKey, error)
	close func()

	// Owned by the keyring's run, once it runs.
	problem string // the last logged problem

	// Guarded by the keyring's mu.
	keys []verifyKey
	err  error // why the last read failed; keys keeps its value
}

func fileSource(path string, parse func([]byte) ([]verifyKey, error)) *keySource {
	return &keySource{name: path, close: func() {}, read: func(context.Context) ([]verifyKey, error) {
		text, err := boundedfile.Read(path, maxJWKS)
		if err != nil {
			return nil, err
		}
		keys, err := parse(text)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		return keys, nil
	}}
}

func urlSource(url string, cfg *tls.Config) *keySource {
	transport := newTransport(cfg, 1)
	client := newClient(transport)
	display, _, _ := strings.Cut(url, "?")
	return &keySource{
		name: display, set: true, later: true, close: transport.CloseIdleConnections,
		read: func(ctx context.Context) ([]verifyKey, error) {
			keys, err := fetchJWKS(ctx, client, url)
			if err != nil {
				return nil, fmt.Errorf("fetching the keys from %s: %w", display, err)
			}
			return keys, nil
		},
	}
}

func fetchJWKS(ctx context.Context, client *http.Client, url string) ([]verifyKey, error) {
	ctx, cancel := context.WithTimeout(ctx, jwksTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, withoutURL(err)
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, withoutURL(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the server answered %d, want 200", resp.StatusCode)
	}
	text, err := readBounded(resp.Body, maxJWKS)
	if err != nil {
		return nil, err
	}
	return parseJWKS(text)
}
