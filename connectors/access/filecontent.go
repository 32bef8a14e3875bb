package access

import "sync/atomic"

// content is what a file says.
type content struct {
	anonymous bool
	users     map[string]*user // by username
	hashes    []passwordHash   // of the users
	rules     *[]rule          // nil: everything is allowed
}

// user is one of a file's.
type user struct {
	password  string // as the file has it
	hash      passwordHash
	superuser bool
	known     atomic.Pointer[[32]byte] // digest of the password that the hash has accepted
}

func (u *user) allowed(rules *Rules) Answer {
	return Answer{Decision: Allow, Rules: rules, Superuser: u.superuser}
}
