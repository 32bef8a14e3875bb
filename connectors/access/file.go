package access

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

// File is the users and rules of a file. It is an [Authenticator] and an [ACL].
type File struct {
	path      string
	anonymous bool
	users     map[string]user // by username
	rules     *Rules

	hashing chan struct{} // bounds how many passwords are hashed at once, or strangers could take every core
	key     [32]byte      // of the digests in known
	known   sync.Map      // username -> digest of the password that bcrypt has accepted
}

// user is one of a file's.
type user struct {
	hash      []byte // bcrypt
	superuser bool
}

var (
	_ Authenticator = (*File)(nil)
	_ ACL           = (*File)(nil)
)

// LoadFile reads users and rules. Errors name the file and the line.
//
//	anonymous: false                 # true: clients without a username may connect
//	users:
//	  - username: meter
//	    password: "$2y$10$..."       # bcrypt: htpasswd -nB meter
//	    superuser: false             # true: no rule applies to this user
//	rules:                           # the first that applies decides; if none does, the answer is no
//	  - permission: allow            # allow or deny
//	    action: publish              # publish, subscribe or all
//	    username: meter              # only this user; if missing, any
//	    clientid: m-1                # only this client; if missing, any
//	    topics: ["meters/${clientid}/#", "meters/${username}/state"]
//
// A file without rules allows everything to everyone who may connect. A file without users knows nobody with a username.
func LoadFile(path string) (*File, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	f := &File{path: path, users: map[string]user{}, rules: &Rules{}, hashing: make(chan struct{}, max(1, runtime.NumCPU()/2))}
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

// Authenticate answers [Ignore] for a username that is not in the file, and for none unless the file says anonymous. It hashes once for each user
// and password, and compares with a keyed digest in memory afterwards. It fails where ctx ends first.
func (f *File) Authenticate(ctx context.Context, device gateway.Device, password string) (Answer, error) {
	if device.Username == "" {
		if !f.anonymous {
			return Answer{}, nil
		}
		return Answer{Decision: Allow, Rules: f.rules}, nil
	}
	mac := hmac.New(sha256.New, f.key[:])
	mac.Write([]byte(password))
	digest := mac.Sum(nil)
	u, exists := f.users[device.Username]
	known, ok := f.known.Load(device.Username)
	if !ok || !hmac.Equal(known.([]byte), digest) {
		right, err := f.compare(ctx, u, exists, password)
		switch {
		case err != nil:
			return Answer{}, err
		case !exists:
			return Answer{Reason: "unknown username"}, nil
		case !right:
			return Answer{Decision: Deny, Reason: "bad username or password"}, nil
		}
		f.known.Store(device.Username, digest)
	}
	return Answer{Decision: Allow, Rules: f.rules, Superuser: u.superuser}, nil
}

func (f *File) compare(ctx context.Context, u user, exists bool, password string) (bool, error) {
	select {
	case f.hashing <- struct{}{}:
		defer func() { <-f.hashing }()
	case <-ctx.Done():
		return false, ctx.Err()
	}
	hash := u.hash
	if !exists {
		hash = nobody()
	}
	return bcrypt.CompareHashAndPassword(hash, []byte(password)) == nil && exists, nil
}

// Allows implements [ACL].
func (f *File) Allows(device gateway.Device, action Action, topic string) bool {
	return f.users[device.Username].superuser || f.rules.Allows(device, action, topic)
}
