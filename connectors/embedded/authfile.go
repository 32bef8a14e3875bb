package embedded

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"os"
	"runtime"
	"sync"

	"golang.org/x/crypto/bcrypt"

	"github.com/exgate/exgate/runtime/gateway"
)

// AuthFile is the users and rules of a file. It is an [Authenticator] and an [ACL].
type AuthFile struct {
	path      string
	anonymous bool
	users     map[string][]byte // bcrypt hashes by username
	rules     []rule

	hashing chan struct{} // bounds how many passwords are hashed at once, or strangers could take every core
	key     [32]byte      // of the digests in known
	known   sync.Map      // username -> digest of the password that bcrypt has accepted
}

var (
	_ Authenticator = (*AuthFile)(nil)
	_ ACL           = (*AuthFile)(nil)
)

// LoadAuthFile reads users and rules. Errors name the file and the line.
//
//	anonymous: false                 # true: clients without a username may connect
//	users:
//	  - username: meter
//	    password: "$2y$10$..."       # bcrypt: htpasswd -nB meter
//	rules:                           # the first that applies decides; if none does, the answer is no
//	  - permission: allow            # allow or deny
//	    action: publish              # publish, subscribe or all
//	    username: meter              # only this user; if missing, any
//	    clientid: m-1                # only this client; if missing, any
//	    topics: ["meters/${clientid}/#", "meters/${username}/state"]
//
// A file without rules allows everything to everyone who may connect. A file without users refuses everyone with a username.
func LoadAuthFile(path string) (*AuthFile, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	f := &AuthFile{path: path, users: map[string][]byte{}, hashing: make(chan struct{}, max(1, runtime.NumCPU()/2))}
	_, _ = rand.Read(f.key[:])
	if err := f.parse(text); err != nil {
		return nil, err
	}
	return f, nil
}

// nobody is what the password of an unknown user is compared with, so that the time tells nothing.
var nobody = sync.OnceValue(func() []byte {
	hash, _ := bcrypt.GenerateFromPassword([]byte(rand.Text()), bcrypt.DefaultCost)
	return hash
})

// Authenticate compares with bcrypt once for each user and password, and afterwards with a keyed digest in memory.
func (f *AuthFile) Authenticate(ctx context.Context, device gateway.Device, password string) bool {
	if device.Username == "" {
		return f.anonymous
	}
	mac := hmac.New(sha256.New, f.key[:])
	mac.Write([]byte(password))
	digest := mac.Sum(nil)
	if known, ok := f.known.Load(device.Username); ok && hmac.Equal(known.([]byte), digest) {
		return true
	}
	if !f.compare(ctx, device.Username, password) {
		return false
	}
	f.known.Store(device.Username, digest)
	return true
}

func (f *AuthFile) compare(ctx context.Context, username, password string) bool {
	select {
	case f.hashing <- struct{}{}:
		defer func() { <-f.hashing }()
	case <-ctx.Done():
		return false
	}
	hash, exists := f.users[username]
	if !exists {
		hash = nobody()
	}
	return bcrypt.CompareHashAndPassword(hash, []byte(password)) == nil && exists
}

// Allows implements [ACL].
func (f *AuthFile) Allows(device gateway.Device, action Action, topic string) bool {
	for i := range f.rules {
		if f.rules[i].applies(&device, action, topic) {
			return f.rules[i].allow
		}
	}
	return f.rules == nil
}
