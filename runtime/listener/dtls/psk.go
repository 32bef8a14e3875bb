package dtls

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"log/slog"
	"sync"
	"time"

	"github.com/exgate/exgate/internal/watch"
)

// PSKConfig configures the pre-shared keys of DTLS clients.
type PSKConfig struct {
	// IdentityHint is sent to clients to help them choose an identity. Optional.
	IdentityHint string
	// File holds the keys, one line for each client: its identity, a colon, and the key in hexadecimal. Empty lines and
	// lines beginning with # are ignored; the last colon of a line is the separator. Identities are 1 to 128 bytes
	// long, keys 1 to 64 (RFC 4279, section 5.3). A changed file is reloaded within a second; if it is invalid, the old
	// keys stay in force. If zero, there are no pre-shared keys.
	File string
}

const (
	maxPSKIdentity = 128
	maxPSKFile     = 64 << 20
	// pskCheckEvery is how often a lookup may look whether the file was changed, and pskSettle how long it must have
	// been the same: half a key is a key too.
	pskCheckEvery = time.Second
	pskSettle     = 100 * time.Millisecond
)

// byteOrderMark is what some editors put before a text.
var byteOrderMark = []byte("\xef\xbb\xbf")

// pskTag is a keyed hash of an identity, so that the time of a lookup reveals nothing about existing identities.
type pskTag [sha256.Size]byte

// pskKeys holds the keys of a file.
type pskKeys struct {
	file   string
	files  *watch.Files // the one file
	log    *slog.Logger
	secret []byte // random for each process; keys the tags and the fake keys of unknown identities

	refreshing sync.Mutex // held while the file is read: other lookups use the keys that are there
	checked    time.Time  // when the file was last checked; guarded by refreshing

	mu   sync.Mutex
	keys map[pskTag]pskKey // guarded by mu
}

// pskKey is a key and the line of the file that it is in.
type pskKey struct {
	bytes []byte
	line  int
}

// openPSK reads the keys of file.
func openPSK(file string, log *slog.Logger) (*pskKeys, error) {
	p := &pskKeys{file: file, log: log, secret: make([]byte, sha256.Size)}
	_, _ = rand.Read(p.secret) // never fails
	var contents [][]byte
	var err error
	if p.files, contents, err = watch.Open(maxPSKFile, file); err != nil {
		return nil, fmt.Errorf("reading pre-shared keys: %w", err)
	}
	return p, p.use(contents[0])
}

// key returns the key of identity. An unknown identity gets a random key, so that a client cannot find out which
// identities exist.
func (p *pskKeys) key(identity []byte) (key []byte, known bool) {
	p.refresh()
	tag := p.tag("identity", identity)
	p.mu.Lock()
	defer p.mu.Unlock()
	if key, known := p.keys[tag]; known {
		return key.bytes, true
	}
	unknown := p.tag("key", identity)
	return unknown[:16], false
}

// serve is key in the form required by the DTLS library.
func (p *pskKeys) serve(identity []byte) ([]byte, error) {
	key, known := p.key(identity)
	if !known {
		p.log.Debug("a DTLS client has an identity without a pre-shared key", "identity",
			string(identity[:min(len(identity), maxPSKIdentity)]))
	}
	return key, nil
}

func (p *pskKeys) tag(purpose string, identity []byte) pskTag {
	return tagWith(hmac.New(sha256.New, p.secret), purpose, identity)
}

func tagWith(h hash.Hash, purpose string, identity []byte) (t pskTag) {
	h.Reset()
	_, _ = io.WriteString(h, purpose)
	_, _ = h.Write([]byte{0})
	_, _ = h.Write(identity)
	h.Sum(t[:0])
	return t
}

// refresh reads the file again if it was changed, unless another lookup does.
func (p *pskKeys) refresh() {
	if !p.refreshing.TryLock() {
		return
	}
	defer p.refreshing.Unlock()
	now := time.Now()
	if now.Sub(p.checked) < pskCheckEvery {
		return
	}
	p.checked = now
	contents, err := p.files.Look(pskSettle)
	switch {
	case err != nil:
		err = fmt.Errorf("reading pre-shared keys: %w", err)
	case contents == nil:
		return
	default:
		err = p.use(contents[0])
	}
	if err != nil {
		p.log.Error("cannot reload the pre-shared keys; keeping the old ones", "error", err)
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.log.Info("reloaded the pre-shared keys", "file", p.file, "keys", len(p.keys))
}

// use puts the keys of the file in force.
func (p *pskKeys) use(content []byte) error {
	keys, err := p.parse(content)
	if err != nil {
		return fmt.Errorf("reading pre-shared keys: %s:%w", p.file, err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.keys = keys
	return nil
}

// parse returns the keys in b. Errors begin with the line number and never quote the line, which may be a key.
func (p *pskKeys) parse(b []byte) (map[pskTag]pskKey, error) {
	const usualLine = 64 // bytes
	keys := make(map[pskTag]pskKey, len(b)/usualLine)
	h := hmac.New(sha256.New, p.secret)
	n := 0
	b = bytes.TrimPrefix(b, byteOrderMark)
	for line := range bytes.Lines(b) {
		n++
		line = bytes.TrimSpace(line)
		if len(line) == 0 || line[0] == '#' {
			continue
		}
		identity, key, err := parsePSK(line)
		if err != nil {
			return nil, fmt.Errorf("%d: %w", n, err)
		}
		tag := tagWith(h, "identity", identity)
		if first, ok := keys[tag]; ok {
			return nil, fmt.Errorf("%d: duplicate identity, first on line %d", n, first.line)
		}
		keys[tag] = pskKey{key, n}
	}
	if len(keys) == 0 {
		return nil, fmt.Errorf("%d: the file contains no key: write lines of identity:hexkey", max(n, 1))
	}
	return keys, nil
}

func parsePSK(line []byte) (identity, key []byte, err error) {
	colon := bytes.LastIndexByte(line, ':')
	if colon < 0 {
		return nil, nil, errors.New("no colon: write identity:hexkey")
	}
	identity = bytes.TrimSpace(line[:colon])
	if len(identity) == 0 || len(identity) > maxPSKIdentity {
		return nil, nil, fmt.Errorf("the identity is %d bytes long: must be 1 to %d", len(identity),
			maxPSKIdentity)
	}
	digits := bytes.TrimSpace(line[colon+1:])
	key = make([]byte, hex.DecodedLen(len(digits)))
	if _, err := hex.Decode(key, digits); err != nil { // the error of hex would quote a part of the key
		return nil, nil, errors.New("the key is not hexadecimal")
	}
	if len(key) == 0 || len(key) > 64 {
		return nil, nil, fmt.Errorf("the key is %d bytes long: must be 1 to 64", len(key))
	}
	return identity, key, nil
}
