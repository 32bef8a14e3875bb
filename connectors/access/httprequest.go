package access

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"unicode/utf8"

	"github.com/exgate/exgate/runtime/gateway"
)

// maxAnswer limits the body of a response, in bytes.
const maxAnswer = 64 << 10

// request is a request in flight, shared by all identical logins that wait for it.
type request struct {
	done   chan struct{} // closed when answer and err are set
	answer Answer
	err    error
}

// requestBody returns the body of the request. ok is false if JSON cannot represent a field: two different passwords
// could look the same.
func requestBody(device gateway.Device, password string) (body []byte, ok bool) {
	peer := ""
	if device.Peer.IsValid() {
		peer = device.Peer.String()
	}
	fields := []struct{ name, value string }{
		{"clientid", device.ClientID},
		{"username", device.Username},
		{"password", password},
		{"proto_name", device.ProtoName},
		{"proto_ver", device.ProtoVersion},
		{"peer", peer},
		{"listener", device.Listener},
		{"module", device.Module},
	}
	asked := make(map[string]string, len(fields))
	for _, f := range fields {
		if !utf8.ValidString(f.value) {
			return nil, false
		}
		asked[f.name] = f.value
	}
	body, err := json.Marshal(asked)
	return body, err == nil
}

// join returns the request in flight for key, or starts one. The request continues if the login that started it gives
// up.
func (h *HTTP) join(key cacheKey, body []byte) (*request, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return nil, fmt.Errorf("the authenticator for %s is closed", h.display)
	}
	if r := h.inFlight[key]; r != nil {
		return r, nil
	}
	r := &request{done: make(chan struct{})}
	h.inFlight[key] = r
	h.done.Go(func() { h.run(r, key, body) })
	return r, nil
}

func (h *HTTP) run(r *request, key cacheKey, body []byte) {
	ctx, cancel := context.WithTimeout(h.closing, h.timeout)
	defer cancel()
	r.answer, r.err = h.post(ctx, body)
	switch {
	case r.err == nil:
		h.cache.put(key, r.answer)
	// not wrapped: the gateway would take it for the end of the device's own deadline, and would not log it
	case ctx.Err() == context.DeadlineExceeded:
		r.err = fmt.Errorf("asking %s: no answer within %v", h.display, h.timeout)
	default:
		r.err = fmt.Errorf("asking %s: %w", h.display, r.err)
	}
	h.mu.Lock()
	delete(h.inFlight, key)
	h.mu.Unlock()
	close(r.done)
}

func (h *HTTP) post(ctx context.Context, body []byte) (Answer, error) {
	select {
	case h.slots <- struct{}{}:
		defer func() { <-h.slots }()
	case <-ctx.Done():
		return Answer{}, fmt.Errorf("waiting for one of %d requests to finish: %w", cap(h.slots), ctx.Err())
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, h.url, bytes.NewReader(body))
	if err != nil {
		return Answer{}, errors.New("invalid url")
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json")
	for name, values := range h.headers {
		req.Header[name] = values
	}
	resp, err := h.client.Do(req)
	if err != nil {
		return Answer{}, withoutURL(err)
	}
	defer func() { _ = resp.Body.Close() }()
	return readAnswer(resp)
}

// withoutURL removes the address from an error of net/http: its query may contain a secret.
func withoutURL(err error) error {
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		return wrapped.Err
	}
	return err
}

func readAnswer(resp *http.Response) (Answer, error) {
	text, err := readBounded(resp.Body, maxAnswer)
	switch status := resp.StatusCode; {
	case status == http.StatusNoContent:
		return Answer{Decision: Allow}, nil
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		return Answer{Decision: Deny, Reason: fmt.Sprintf("the service answered %d", status)}, nil
	case status != http.StatusOK:
		return Answer{}, fmt.Errorf("the service answered %d: want 200, 204, 401 or 403", status)
	case err != nil:
		return Answer{}, err
	}
	return parseAnswer(text)
}

// readBounded reads all of r and fails if it is longer than limit bytes.
func readBounded(r io.Reader, limit int64) ([]byte, error) {
	text, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err == nil && int64(len(text)) > limit {
		return nil, fmt.Errorf("the answer is longer than %d bytes", limit)
	}
	return text, err
}
