package access

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"log/slog"
	"runtime"
	"sync/atomic"

	"github.com/exgate/exgate/internal/watch"
	"github.com/exgate/exgate/runtime/gateway"
)

// File authenticates and authorizes with the users and rules of a file. [File.Watch] reloads it when it changes.
type File struct {
	path    string
	content atomic.Pointer[content]
	rules   *Rules // the rules of content

	hashing chan struct{} // limits how many passwords are hashed at once, so that strangers cannot use every core
	key     [32]byte      // key of the digests in user.known

	files *watch.Files // the one watched file
}

var (
	_ Authenticator = (*File)(nil)
	_ ACL           = (*File)(nil)
)

// maxFile limits the size of the file, in bytes.
const maxFile = 64 << 20

// LoadFile reads users and rules. Errors name the file and the line.
//
//	anonymous: false                 # true: clients without a username may connect
//	users:
//	  - username: meter
//	    # bcrypt: htpasswd -nB meter; or argon2id: $argon2id$v=19$m=65536,t=3,p=4$SALT$HASH
//	    password: "$2y$10$..."
//	    superuser: false             # true: no rule applies to this user
//	rules:                           # the first that applies decides; if none does, the answer is no
//	  - permission: allow            # allow or deny
//	    action: publish              # publish, subscribe or all
//	    username: meter              # only this user; if missing, any
//	    clientid: m-1                # only this client; if missing, any
//	    topics: ["meters/${clientid}/#", "meters/${username}/state"]
//
// The file may be at most 64 MiB. Without rules, every client that may connect may do everything. Without users, no
// username is known.
func LoadFile(path string) (*File, error) {
	files, texts, err := watch.Open(maxFile, path)
	if err != nil {
		return nil, err
	}
	c, err := parseFile(path, texts[0])
	if err != nil {
		return nil, err
	}
	f := &File{path: path, files: files, rules: &Rules{}, hashing: make(chan struct{}, max(1, runtime.NumCPU()/2))}
	_, _ = rand.Read(f.key[:])
	f.use(c)
	return f, nil
}

// use puts c in force. Users with an unchanged password keep their digest, so that it is not hashed again.
func (f *File) use(c *content) {
	if before := f.content.Load(); before != nil {
		for name, u := range c.users {
			if old := before.users[name]; old != nil && old.password == u.password {
				u.known.Store(old.known.Load())
			}
		}
	}
	f.content.Store(c)
	f.rules.list.Store(c.rules)
}

// Authenticate answers [Ignore] for a username that is not in the file, and for an empty one unless the file says
// anonymous: true. It hashes a user's password once and compares a keyed digest in memory from then on. It returns an
// error if ctx ends first.
func (f *File) Authenticate(ctx context.Context, device gateway.Device, password string) (Answer, error) {
	c := f.content.Load()
	if device.Username == "" {
		if !c.anonymous {
			return Answer{Reason: "no username"}, nil
		}
		return Answer{Decision: Allow, Rules: f.rules}, nil
	}
	u := c.users[device.Username]
	if u == nil {
		return f.unknown(ctx, c, device.Username, password)
	}
	digest := f.digest(password)
	if known := u.known.Load(); known != nil && hmac.Equal(known[:], digest[:]) {
		return u.allowed(f.rules), nil
	}
	right, err := f.compare(ctx, u.hash, password)
	if err != nil {
		return Answer{}, err
	}
	if !right {
		return Answer{Decision: Deny, Reason: "bad username or password"}, nil
	}
	u.known.Store(&digest)
	return u.allowed(f.rules), nil
}

// unknown takes as long as a wrong password of an existing user, always the same user for a given username, so that
// timing does not reveal which usernames exist.
func (f *File) unknown(ctx context.Context, c *content, username, password string) (Answer, error) {
	if len(c.hashes) > 0 {
		digest := f.digest(username)
		hash := c.hashes[binary.BigEndian.Uint64(digest[:])%uint64(len(c.hashes))]
		if _, err := f.compare(ctx, hash, password); err != nil {
			return Answer{}, err
		}
	}
	return Answer{Reason: "bad username or password"}, nil
}

func (f *File) compare(ctx context.Context, hash passwordHash, password string) (bool, error) {
	select {
	case f.hashing <- struct{}{}:
		defer func() { <-f.hashing }()
		return hash.matches(password), nil
	case <-ctx.Done():
		return false, ctx.Err()
	}
}

func (f *File) digest(text string) (sum [32]byte) {
	mac := hmac.New(sha256.New, f.key[:])
	mac.Write([]byte(text))
	mac.Sum(sum[:0])
	return sum
}

// Allows implements [ACL].
func (f *File) Allows(device gateway.Device, action Action, topic string) bool {
	if u := f.content.Load().users[device.Username]; u != nil && u.superuser {
		return true
	}
	return f.rules.Allows(device, action, topic)
}

// content is the parsed content of a file.
type content struct {
	anonymous bool
	users     map[string]*user // by username
	hashes    []passwordHash   // of all users
	rules     *[]rule          // nil: everything is allowed
}

// user is a user in the file.
type user struct {
	password  string // as written in the file
	hash      passwordHash
	superuser bool
	known     atomic.Pointer[[32]byte] // digest of the password that hash has accepted
}

func (u *user) allowed(rules *Rules) Answer {
	return Answer{Decision: Allow, Rules: rules, Superuser: u.superuser}
}

// Watch reloads the file whenever it changes, until ctx ends: usually at once, or within about 5 s without file
// notifications. If the file is broken or missing, it logs that once and keeps the last good content. Changed rules
// apply to open sessions; the sessions of a removed user continue. Call it once. If log is nil, slog.Default().
func (f *File) Watch(ctx context.Context, log *slog.Logger) {
	if log == nil {
		log = slog.Default()
	}
	f.files.Watch(ctx, watch.Options{Logger: log.With("file", f.path)}, func(texts [][]byte, err error) {
		var c *content
		if err == nil {
			c, err = parseFile(f.path, texts[0])
		}
		if err != nil {
			log.Error("cannot reload the auth file; keeping the last good one", "error", err)
			return
		}
		f.use(c)
		log.Info("auth file reloaded", "file", f.path, "users", len(c.users))
	})
}
