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

// maxAnswer bounds the body of an answer, in bytes.
const maxAnswer = 64 << 10

// question is asked once for all who ask it at the same time.
type question struct {
	done   chan struct{} // closed when answer and err are there
	answer Answer
	err    error
}

// questionBody is what the service is sent. It is not ok where JSON cannot carry it: two passwords could look the same.
func questionBody(device gateway.Device, password string) (body []byte, ok bool) {
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

// join returns the question that is being asked, or asks it. It goes on when who asked first has left.
func (h *HTTP) join(key cacheKey, body []byte) (*question, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return nil, fmt.Errorf("%s is not asked any more", h.shown)
	}
	if q := h.asking[key]; q != nil {
		return q, nil
	}
	q := &question{done: make(chan struct{})}
	h.asking[key] = q
	h.done.Go(func() { h.ask(q, key, body) })
	return q, nil
}

func (h *HTTP) ask(q *question, key cacheKey, body []byte) {
	ctx, cancel := context.WithTimeout(h.closing, h.timeout)
	defer cancel()
	q.answer, q.err = h.post(ctx, body)
	switch {
	case q.err == nil:
		h.cache.put(key, q.answer)
	// not wrapped: the gateway takes it for the end of the device's own time, and does not log it
	case ctx.Err() == context.DeadlineExceeded:
		q.err = fmt.Errorf("asking %s: no answer within %v", h.shown, h.timeout)
	default:
		q.err = fmt.Errorf("asking %s: %w", h.shown, q.err)
	}
	h.mu.Lock()
	delete(h.asking, key)
	h.mu.Unlock()
	close(q.done)
}

func (h *HTTP) post(ctx context.Context, body []byte) (Answer, error) {
	select {
	case h.turns <- struct{}{}:
		defer func() { <-h.turns }()
	case <-ctx.Done():
		return Answer{}, fmt.Errorf("waiting behind %d others: %w", cap(h.turns), ctx.Err())
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, h.url, bytes.NewReader(body))
	if err != nil {
		return Answer{}, errors.New("the url is not usable")
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

// withoutURL drops the address from an error of net/http: its query may hold a secret.
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

// readBounded fails beyond limit bytes.
func readBounded(r io.Reader, limit int64) ([]byte, error) {
	text, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err == nil && int64(len(text)) > limit {
		return nil, fmt.Errorf("the answer is longer than %d bytes", limit)
	}
	return text, err
}
