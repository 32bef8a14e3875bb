package service_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/crypto/bcrypt"

	"github.com/exgate/exgate/cmd/exgate/internal/modules"
	"github.com/exgate/exgate/connectors/connectortest/mosquitto"
	"github.com/exgate/exgate/wasm-examples/line"
)

// file writes a file and returns its path.
func file(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// usersFile contains the user file with the password known, which may publish below up.
func usersFile(t *testing.T) string {
	t.Helper()
	hash, err := bcrypt.GenerateFromPassword([]byte("known"), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	return file(t, fmt.Sprintf("users: [{username: file, password: %q}]\nrules: [{permission: allow, action: "+
		"publish, topics: ['up/${clientid}']}]\n", hash))
}

// authService allows the user http, if the request has the headers of headersFile.
func authService(t *testing.T) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var asked struct{ Username, Listener, Module string }
		switch err := json.NewDecoder(r.Body).Decode(&asked); {
		case err != nil || r.Header.Get("X-Token") != "t0ken" || asked.Listener != "shared" || asked.Module != "line":
			w.WriteHeader(http.StatusInternalServerError)
		case asked.Username == "http":
			w.WriteHeader(http.StatusNoContent)
		default:
			_, _ = w.Write([]byte(`{"result": "ignore"}`))
		}
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// secret is what tokens are signed with.
const secret = "0123456789abcdef0123456789abcdef"

// token is a JWT for a client id.
func token(id string) string {
	encode := base64.RawURLEncoding.EncodeToString
	signed := encode([]byte(`{"alg":"HS256","typ":"JWT"}`)) + "." + encode([]byte(`{"sub":"`+id+`"}`))
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(signed))
	return signed + "." + encode(mac.Sum(nil))
}

// TestSharedSessions logs in devices with each authenticator, at a broker whose only account is me, and gives one a
// connection of its own.
func TestSharedSessions(t *testing.T) {
	b := mosquitto.Start(t, mosquitto.Options{Users: map[string]string{"me": "s3cret"}})
	o := observe(t, b.URL(), "up/#")
	chain := fmt.Sprintf("authentication: {chain: [file, http, jwt, broker], file: %s, http: {url: %q, "+
		"headers_file: %s}, "+
		"jwt: {secret_file: %s, claims: ['sub=${clientid}']}}", usersFile(t), authService(t),
		file(t, "X-Token: t0ken\n"), file(t, secret))
	r := runAt(t, fmt.Sprintf("url: %s, session: shared, connections: 2, %s, %s", b.URL(), account(t), chain), `
listeners:
  shared: {bind: 127.0.0.1:0, handler: {wasm: builtin:line}}
  own: {bind: 127.0.0.1:0, handler: {wasm: builtin:line}, session: device}
`)
	if r.DevicesMayStay() {
		t.Error("devices may stay with connections that one process at a time can have")
	}
	for id, login := range map[string]string{
		"m1": "file known", "m2": "http x", "m3": "any " + token("m3"),
		"m4": "me s3cret",
	} {
		openTerminal(t, r.addr("shared"), id+" "+login).says("pub1 up/"+id+" x", "ok")
		o.sees("up/"+id, "x")
	}
	openTerminal(t, r.addr("shared"), "m1 file known").says("pub1 up/m2 x", "error: ")
	openTerminal(t, r.addr("own"), "m5 me s3cret").says("pub1 up/m5 x", "ok")
	o.sees("up/m5", "x")
	for _, login := range []string{"m1 file wrong", "m3 any " + token("m4"), "m6 nobody x"} {
		greeted(t, r.addr("shared")).says("login "+login, "error: ")
	}
}

// The rules of a file apply if the authenticator's answer has no rules.
func TestRulesOfAFile(t *testing.T) {
	b := mosquitto.Start(t, mosquitto.Options{})
	rules := file(t, "rules: [{permission: allow, action: publish, topics: ['up/${clientid}']}]\n")
	r := runAt(t, fmt.Sprintf("url: %s, session: shared, authentication: {chain: [allow], rules: %s}", b.URL(), rules),
		oneListener)
	device := openTerminal(t, r.addr("a"), "m8")
	device.says("pub1 up/m8 x", "ok")
	device.says("pub1 up/m9 x", "error: ")
	device.says("sub up/m8", "error: ")
}

func TestGatewaysThatShareDevices(t *testing.T) {
	b := mosquitto.Start(t, mosquitto.Options{})
	settings := fmt.Sprintf("url: %s, session: shared, control_topic: gateways, authentication: {chain: [allow]}",
		b.URL())
	first, second := runAt(t, settings, oneListener), runAt(t, settings, "node: n2\n"+oneListener)
	before := openTerminal(t, first.addr("a"), "m7")
	openTerminal(t, second.addr("a"), "m7")
	if text, err := before.lines.ReadString('\n'); !errors.Is(err, io.EOF) {
		t.Errorf("the device at the first gateway read %q, %v", text, err)
	}
}

// A module's own listener may be the first whose devices share connections.
func TestSharedSessionsOfAModule(t *testing.T) {
	b := mosquitto.Start(t, mosquitto.Options{})
	o := observe(t, b.URL(), "up")
	folder := t.TempDir()
	h := &fixture{t: t, folder: folder}
	h.write("line.wasm", line.Module)
	r := runAt(t, fmt.Sprintf("url: %s, authentication: {chain: [allow]}", b.URL()), "modules: "+folder+"\n")
	h.service = r.Service
	h.write("line.yaml", []byte("listener: {bind: 127.0.0.1:0, session: shared}\n"))
	m := h.await("line", func(m modules.Status) bool { return m.Listener != nil })
	openTerminal(t, m.Listener, "m7").says("pub1 up x", "ok")
	o.sees("up", "x")
	if r.DevicesMayStay() {
		t.Error("devices may stay")
	}
}

func TestSharedSessionOfAModuleWithoutABroker(t *testing.T) {
	h := newFixture(t, "", map[string]string{
		"line.wasm": string(line.Module),
		"line.yaml": "listener:\n  bind: 127.0.0.1:0\n  session: shared\n",
	})
	h.await("line", func(m modules.Status) bool {
		return m.State == modules.Rejected && strings.Contains(m.Reason,
			"line.yaml:3: listener.session: shared needs upstream.url in the configuration")
	})
}
