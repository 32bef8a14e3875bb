package access_test

import (
	"fmt"
	"testing"

	"github.com/exgate/exgate/connectors/access"
)

// BenchmarkPassword is a login with each kind of hash, and the second login with the same password.
func BenchmarkPassword(b *testing.B) {
	const bcrypt10 = "$2y$10$" + "N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy"
	for name, hash := range map[string]string{"bcrypt10": bcrypt10, "argon2id": argon("p", 65536, 3, 4)} {
		f := load(b, fmt.Sprintf("users: [{username: a, password: %q}]\n", hash))
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if decide(b, f, "a", "wrong") != access.Deny {
					b.Fatal("a wrong password is taken")
				}
			}
		})
	}
	f := load(b, fmt.Sprintf("users: [{username: a, password: %q}]\n", argon("p", 65536, 3, 4)))
	b.Run("again", func(b *testing.B) {
		for b.Loop() {
			if decide(b, f, "a", "p") != access.Allow {
				b.Fatal("the password is refused")
			}
		}
	})
}

// BenchmarkJWT is a login with a token of each kind.
func BenchmarkJWT(b *testing.B) {
	k := keys()
	for name, c := range map[string]struct {
		cfg   access.JWTConfig
		token string
	}{
		"HS256": {
			access.JWTConfig{SecretFile: writeFile(b, secret)}, sign(b, "HS256", []byte(secret), claims{"sub": "c"}),
		},
		"RS256": {
			access.JWTConfig{PublicKeyFile: writeFile(b, publicPEM(b, k.rsa.Public()))},
			sign(b, "RS256", k.rsa, claims{"sub": "c"}),
		},
		"ES256": {
			access.JWTConfig{PublicKeyFile: writeFile(b, publicPEM(b, k.p256.Public()))},
			sign(b, "ES256", k.p256, claims{"sub": "c"}),
		},
	} {
		j := newJWT(b, c.cfg)
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if r := reasonOf(b, j, c.token); r != "" {
					b.Fatal(r)
				}
			}
		})
	}
}
