package doctor_test

import (
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/exgate/exgate/cmd/exgate/internal/config"
	"github.com/exgate/exgate/cmd/exgate/internal/doctor"
	"github.com/exgate/exgate/connectors/connectortest/mosquitto"
	"github.com/exgate/exgate/runtime/gateway/gatewaytest"
)

// asked returns a configuration with shared sessions and an authenticator.
func asked(t *testing.T, broker, who, settings string) *config.Config {
	t.Helper()
	return brokered(t, broker, fmt.Sprintf("session: shared, authentication: {chain: [%s], %s: {%s}}", who, who,
		settings))
}

// answering returns a server that answers with a status and a text.
func answering(t *testing.T, status int, text string) *httptest.Server {
	t.Helper()
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, text)
	}))
	t.Cleanup(server.Close)
	return server
}

// authority returns the setting that trusts server.
func authority(t *testing.T, server *httptest.Server) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}),
		0o600); err != nil {
		t.Fatal(err)
	}
	return "tls: {ca: " + file + "}"
}

func TestServiceThatIsAskedAboutDevices(t *testing.T) {
	broker := mosquitto.Start(t, mosquitto.Options{}).URL()
	denies, allows, broken := answering(t, 200, `{"result": "deny"}`), answering(t, 204, ""), answering(t, 500, "")
	plain := httptest.NewServer(http.NotFoundHandler())
	defer plain.Close()
	const setting = "upstream.authentication.http"
	for _, test := range []struct {
		settings string
		state    doctor.State
		setting  string
		text     string
	}{
		{
			"url: '" + denies.URL + "/auth', " + authority(t, denies), doctor.Well, ".url",
			"/auth answers, and rejects a device that does not exist",
		},
		{
			"url: '" + allows.URL + "', " + authority(t, allows), doctor.Warning, ".url",
			"accepts a device that does not exist",
		},
		{"url: '" + broken.URL + "', " + authority(t, broken), doctor.Problem, ".url", "the service answered 500"},
		{
			"url: '" + denies.URL + "'", doctor.Problem, ".tls.ca",
			"the server's certificate is signed by an unknown authority",
		},
		{"url: 'https://" + plain.Listener.Addr().String() + "'", doctor.Problem, ".url", "does not use TLS"},
		{
			"url: 'http://" + gatewaytest.FreeAddress(t) + "/?key=s3cret'", doctor.Problem, ".url",
			"nothing listens on http://127.0.0.1:",
		},
		{"url: 'http://no..host'", doctor.Problem, ".url", "cannot resolve the name in http://no..host"},
	} {
		expect(t, asked(t, broker, "http", test.settings), test.state, setting+test.setting, test.text)
	}
}

func TestKeysOfTokens(t *testing.T) {
	broker := mosquitto.Start(t, mosquitto.Options{}).URL()
	keys, none := answering(t, 200, `{"keys": [{"kty": "oct", "k": "c2VjcmV0", "kid": "1"}]}`), answering(t, 404, "")
	const key = `{"keys": [{"kty": "EC", "crv": "P-256", "kid": "1", "x": ` +
		`"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}]}`
	good := answering(t, 200, key)
	const setting = "upstream.authentication.jwt"
	expect(t, asked(t, broker, "jwt", "jwks: '"+good.URL+"', "+authority(t, good)), doctor.Well, setting,
		"the keys that verify tokens are available")
	expect(t, asked(t, broker, "jwt", "jwks: '"+none.URL+"', "+authority(t, none)), doctor.Problem, setting+".jwks",
		"the server answered 404, want 200")
	expect(t, asked(t, broker, "jwt", "jwks: '"+keys.URL+"', "+authority(t, keys)), doctor.Problem, setting+".jwks",
		"fetching the keys from "+keys.URL)
	expect(t, asked(t, broker, "jwt", "jwks: '"+good.URL+"'"), doctor.Problem, setting+".tls.ca",
		"signed by an unknown authority")
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("0123456789abcdef0123456789abcdef"), 0o600); err != nil {
		t.Fatal(err)
	}
	expect(t, asked(t, broker, "jwt", "secret_file: "+secret), doctor.Well, setting,
		"the keys that verify tokens are available")
}

func TestFolderOfTheSpool(t *testing.T) {
	broker, folder := mosquitto.Start(t, mosquitto.Options{}).URL(), t.TempDir()
	file := filepath.Join(folder, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	const setting = "upstream.spool.folder"
	expect(t, brokered(t, broker, "spool: {folder: "+folder+"}"), doctor.Well, setting, folder+" is writable")
	missing := folder + "/a/b"
	expect(t, brokered(t, broker, "spool: {folder: "+missing+"}"), doctor.Well, setting, missing+" can be created")
	expect(t, brokered(t, broker, "spool: {folder: "+file+"/b}"), doctor.Problem, setting, "is not writable")
	if left, err := os.ReadDir(folder); err != nil || len(left) != 1 {
		t.Errorf("the doctor left %v, %v", left, err)
	}
}
