package access

import (
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/crypto/argon2"
	"golang.org/x/crypto/bcrypt"
)

// Limits for the cost of a hash, so that no file can exhaust the machine: about one second of one core, and 256 MiB.
// RFC 9106 section 4 recommends m=65536,t=3,p=4 if memory is constrained.
const (
	maxBcryptCost   = 14
	maxArgonMemory  = 256 << 10 // KiB
	maxArgonPasses  = 16
	maxArgonThreads = 8
	maxArgonWork    = 1 << 20 // KiB times passes
	minArgonSalt    = 8       // bytes, the minimum of the reference implementation
	minArgonHash    = 16      // bytes
	maxArgonBytes   = 64      // bytes of salt, and of hash
)

// passwordHash verifies a password.
type passwordHash interface {
	matches(password string) bool
}

var errNoHash = errors.New("password is neither a bcrypt nor an argon2id hash: make one with htpasswd -nB USERNAME")

// parsePasswordHash parses the password field of a file. Errors do not quote it: it may be the password itself.
func parsePasswordHash(text string) (passwordHash, error) {
	if strings.HasPrefix(text, "$argon2id$") {
		return parseArgon2id(text)
	}
	cost, err := bcrypt.Cost([]byte(text))
	if err != nil {
		return nil, errNoHash
	}
	if cost > maxBcryptCost {
		return nil, fmt.Errorf("bcrypt of cost %d takes too long: at most %d", cost, maxBcryptCost)
	}
	return bcryptHash(text), nil
}

type bcryptHash string

func (h bcryptHash) matches(password string) bool {
	return bcrypt.CompareHashAndPassword([]byte(h), []byte(password)) == nil
}

// argon2id is a hash in PHC string format.
type argon2id struct {
	memory, passes uint32
	threads        uint8
	salt, hash     []byte
}

func parseArgon2id(text string) (passwordHash, error) {
	fields := strings.Split(text, "$")
	if len(fields) != 6 || fields[2] != "v=19" {
		return nil, errors.New("want argon2id as $argon2id$v=19$m=65536,t=3,p=4$SALT$HASH")
	}
	h := argon2id{}
	var threads uint32
	if n, err := fmt.Sscanf(fields[3]+"\n", "m=%d,t=%d,p=%d\n", &h.memory, &h.passes, &threads); n != 3 || err != nil {
		return nil, errors.New("want the costs of argon2id as m=65536,t=3,p=4")
	}
	if err := checkArgonCosts(h.memory, h.passes, threads); err != nil {
		return nil, err
	}
	h.threads = uint8(threads)
	var err1, err2 error
	h.salt, err1 = base64.RawStdEncoding.Strict().DecodeString(fields[4])
	h.hash, err2 = base64.RawStdEncoding.Strict().DecodeString(fields[5])
	if err1 != nil || err2 != nil || len(h.salt) < minArgonSalt || len(h.hash) < minArgonHash ||
		len(h.salt) > maxArgonBytes || len(h.hash) > maxArgonBytes {
		return nil, fmt.Errorf("want salt and hash of argon2id in base64 without =, of %d and %d to %d bytes",
			minArgonSalt, minArgonHash, maxArgonBytes)
	}
	return h, nil
}

func checkArgonCosts(memory, passes, threads uint32) error {
	switch {
	case passes < 1 || passes > maxArgonPasses:
		return fmt.Errorf("t of argon2id is %d: want 1 to %d", passes, maxArgonPasses)
	case threads < 1 || threads > maxArgonThreads:
		return fmt.Errorf("p of argon2id is %d: want 1 to %d", threads, maxArgonThreads)
	case memory < 8*threads || memory > maxArgonMemory:
		return fmt.Errorf("m of argon2id is %d: want %d to %d KiB", memory, 8*threads, maxArgonMemory)
	case memory*passes > maxArgonWork:
		return fmt.Errorf("m times t of argon2id is %d: want at most %d", memory*passes, maxArgonWork)
	}
	return nil
}

func (h argon2id) matches(password string) bool {
	got := argon2.IDKey([]byte(password), h.salt, h.passes, h.memory, h.threads, uint32(len(h.hash)))
	return subtle.ConstantTimeCompare(got, h.hash) == 1
}
