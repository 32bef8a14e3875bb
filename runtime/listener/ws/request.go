package ws

import (
	"bufio"
	"bytes"
	"crypto/sha1" //nolint:gosec // RFC 6455 prescribes it; it protects nothing
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/http/httpguts"

	"github.com/exgate/exgate/runtime/gateway"
)

// refusal is an HTTP answer that ends a handshake.
type refusal struct {
	result string // as counted
	status int
	text   string
}

func (r *refusal) Error() string { return r.text }

func refuse(result string, status int, text string) error { return &refusal{result, status, text} }

// request is a checked request.
type request struct {
	subprotocol string
	accept      string // for Sec-WebSocket-Accept
	properties  []gateway.Property
}

var errTrailing = errors.New("a line of the request does not end in CRLF")

// parse parses a request that ends in an empty line and checks it.
func (s *server) parse(head []byte) (*request, error) {
	in := bufio.NewReader(bytes.NewReader(head))
	r, err := http.ReadRequest(in)
	if err == nil && in.Buffered() > 0 {
		err = errTrailing
	}
	if err != nil {
		return nil, refuse("malformed", http.StatusBadRequest, "malformed HTTP request: "+err.Error())
	}
	if err := checkUpgrade(r); err != nil {
		return nil, err
	}
	switch {
	case !s.serves(r.URL.EscapedPath()):
		return nil, refuse("not_found", http.StatusNotFound, "no WebSocket is served at this path")
	case !s.allows(r):
		return nil, refuse("origin", http.StatusForbidden, "this origin is not allowed")
	}
	subprotocol, ok := s.negotiate(r)
	if !ok {
		return nil, refuse("subprotocol", http.StatusBadRequest, "offer one of the subprotocols "+
			strings.Join(s.cfg.Subprotocols, ", "))
	}
	return &request{
		subprotocol: subprotocol, accept: acceptKey(r.Header.Get("Sec-Websocket-Key")),
		properties: s.properties(r, subprotocol),
	}, nil
}

// checkUpgrade checks that r opens a WebSocket: RFC 6455, section 4.2.1.
func checkUpgrade(r *http.Request) error {
	h := r.Header
	switch {
	case r.Method != http.MethodGet:
		return refuse("not_websocket", http.StatusMethodNotAllowed, "a WebSocket is opened with GET")
	case !r.ProtoAtLeast(1, 1) || r.ProtoMajor > 1:
		return refuse("not_websocket", http.StatusHTTPVersionNotSupported, "a WebSocket is opened with HTTP/1.1")
	case !httpguts.HeaderValuesContainsToken(h["Connection"], "upgrade"),
		!httpguts.HeaderValuesContainsToken(h["Upgrade"], "websocket"):
		return refuse("not_websocket", http.StatusUpgradeRequired, "this port serves WebSocket only")
	case h.Get("Sec-Websocket-Version") != "13":
		return refuse("not_websocket", http.StatusUpgradeRequired, "only version 13 of WebSocket is supported")
	case r.Host == "":
		return refuse("malformed", http.StatusBadRequest, "the Host header is missing")
	case r.ContentLength != 0 || len(r.TransferEncoding) > 0:
		return refuse("malformed", http.StatusBadRequest, "the request has a body")
	case len(h["Sec-Websocket-Key"]) != 1 || !validKey(h.Get("Sec-Websocket-Key")):
		return refuse("malformed", http.StatusBadRequest, "Sec-WebSocket-Key must be 16 bytes in base64")
	}
	return nil
}

func validKey(key string) bool {
	b, err := base64.StdEncoding.DecodeString(strings.TrimSpace(key))
	return err == nil && len(b) == 16
}

func acceptKey(key string) string {
	sum := sha1.Sum([]byte(strings.TrimSpace(key) + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11")) //nolint:gosec // see above
	return base64.StdEncoding.EncodeToString(sum[:])
}

// serves reports whether path, escaped, is served.
func (s *server) serves(path string) bool {
	want := s.cfg.Path
	if below, ok := strings.CutSuffix(want, "*"); ok {
		return strings.HasPrefix(path, below) || path+"/" == below
	}
	return want == "" || path == want
}

// allows reports whether a browser may connect from the page that it is on. Other clients send no Origin.
func (s *server) allows(r *http.Request) bool {
	origins := r.Header["Origin"]
	if len(origins) == 0 {
		return true
	}
	origin := origins[0]
	if len(origins) > 1 {
		return false
	}
	if u, err := url.Parse(origin); err == nil && u.Host != "" && strings.EqualFold(u.Host, r.Host) {
		return true
	}
	return slices.ContainsFunc(s.cfg.Origins, func(allowed string) bool {
		return allowed == "*" || strings.EqualFold(allowed, origin)
	})
}

// negotiate returns the subprotocol to use. ok is false if the device offers none of those that are configured.
func (s *server) negotiate(r *http.Request) (subprotocol string, ok bool) {
	if len(s.cfg.Subprotocols) == 0 {
		return "", true
	}
	for _, line := range r.Header["Sec-Websocket-Protocol"] {
		for offer := range strings.SplitSeq(line, ",") {
			if offer = strings.Trim(offer, " \t"); slices.Contains(s.cfg.Subprotocols, offer) {
				return offer, true
			}
		}
	}
	return "", false
}

// properties returns what handlers learn of the request.
func (s *server) properties(r *http.Request, subprotocol string) []gateway.Property {
	var all []gateway.Property
	add := func(name, value string) {
		if value != "" && utf8.ValidString(value) {
			all = append(all, gateway.Property{Name: name, Value: value})
		}
	}
	add("path", r.URL.EscapedPath())
	add("query", r.URL.RawQuery)
	add("subprotocol", subprotocol)
	if username, password, ok := r.BasicAuth(); ok {
		add("username", username)
		add(gateway.PropertyPassword, password)
	}
	for _, name := range s.cfg.Headers {
		add("header."+strings.ToLower(name), strings.Join(r.Header.Values(name), ", "))
	}
	return all
}
