package access_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"

	"golang.org/x/crypto/argon2"

	"github.com/exgate/exgate/connectors/access"
)

func argon(password string, memory, passes uint32, threads uint8) string {
	salt := []byte("sixteen bytes ok")
	hash := argon2.IDKey([]byte(password), salt, passes, memory, threads, 32)
	b64 := base64.RawStdEncoding.EncodeToString
	return fmt.Sprintf("$argon2id$v=19$m=%d,t=%d,p=%d$%s$%s", memory, passes, threads, b64(salt), b64(hash))
}

func TestArgon2id(t *testing.T) {
	f := load(t, fmt.Sprintf("users:\n - {username: a, password: %q}\n - {username: b, password: %q}\n",
		argon("right", 64, 2, 2), hashed(t, "right")))
	for range 2 {
		for _, name := range []string{"a", "b"} {
			if decide(t, f, name, "right") != access.Allow || decide(t, f, name, "wrong") != access.Deny ||
				decide(t, f, name, "") != access.Deny {
				t.Error(name)
			}
		}
	}
	for i := range 20 { // some are compared with a's hash and some with b's
		if got := decide(t, f, fmt.Sprint("nobody", i), "right"); got != access.Ignore {
			t.Error(got)
		}
	}
}

// TestArgon2idOfTheReferenceProgram takes a test vector of the reference implementation (phc-winner-argon2,
// src/test.c).
func TestArgon2idOfTheReferenceProgram(t *testing.T) {
	const hash = "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4"
	f := load(t, "users:\n - {username: a, password: '"+hash+"'}\n")
	if got := decide(t, f, "a", "password"); got != access.Allow {
		t.Error(got)
	}
}

func TestHashesThatCostTooMuch(t *testing.T) {
	rest := "$" + strings.Repeat("A", 22) + "$" + strings.Repeat("A", 43)
	for hash, want := range map[string]string{
		"$argon2id$v=19$m=4194304,t=1,p=1" + rest:      "m of argon2id is 4194304: want 8 to 262144 KiB",
		"$argon2id$v=19$m=7,t=1,p=1" + rest:            "m of argon2id is 7",
		"$argon2id$v=19$m=64,t=0,p=1" + rest:           "t of argon2id is 0: want 1 to 16",
		"$argon2id$v=19$m=64,t=4294967295,p=1" + rest:  "t of argon2id",
		"$argon2id$v=19$m=64,t=1,p=0" + rest:           "p of argon2id is 0: want 1 to 8",
		"$argon2id$v=19$m=64,t=1,p=9" + rest:           "p of argon2id is 9",
		"$argon2id$v=19$m=262144,t=5,p=1" + rest:       "m times t of argon2id is 1310720: want at most 1048576",
		"$argon2id$v=19$m=64,t=1" + rest:               "want the costs of argon2id as m=65536,t=3,p=4",
		"$argon2id$v=19$m=64,t=1,p=1,x=1" + rest:       "want the costs of argon2id",
		"$argon2id$v=19$m=64,t=99999999999,p=1" + rest: "want the costs of argon2id",
		"$argon2id$v=16$m=64,t=1,p=1" + rest:           "want argon2id as",
		"$argon2id$v=19$m=64,t=1,p=1$AAAA$" + strings.Repeat("A",
			43): "want salt and hash",
		"$argon2id$v=19$m=64,t=1,p=1$" + strings.Repeat("A",
			22) + "$AAAA": "want salt and hash",
		"$argon2id$v=19$m=64,t=1,p=1$" + strings.Repeat("A", 22) + "$" + strings.Repeat("A",
			2000): "want salt and hash",
		"$argon2id$v=19$m=64,t=1,p=1$" + strings.Repeat("!", 22) + "$" + strings.Repeat("A", 43): "want salt and hash",
		"$argon2i$v=19$m=64,t=1,p=1" + rest: "neither a bcrypt nor an argon2id hash",
		"$2y$15$" + strings.Repeat("A", 53): "bcrypt of cost 15 takes too long: at most 14",
	} {
		path := writeFile(t, "users:\n - {username: a, password: '"+hash+"'}\n")
		if _, err := access.LoadFile(path); err == nil || !strings.Contains(err.Error(), path+":2: ") ||
			!strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", hash, err)
		}
	}
}

// TestHashingWaitsNoLongerThanItsContext requires that a login without time left fails without an answer.
func TestHashingWaitsNoLongerThanItsContext(t *testing.T) {
	f := load(t, fmt.Sprintf("users: [{username: a, password: %q}]\n", argon("right", 64, 1, 1)))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	refused := 0
	for range 100 { // a turn may be free and ctx over: either is right
		answer, err := f.Authenticate(ctx, device("c", "a"), "wrong")
		if errors.Is(err, context.Canceled) {
			refused++
		}
		if answer.Decision == access.Allow || err == nil && answer.Decision != access.Deny {
			t.Fatal(answer, err)
		}
	}
	if refused == 0 {
		t.Error("no login has failed")
	}
}
