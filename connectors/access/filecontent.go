package access

import "sync/atomic"

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
