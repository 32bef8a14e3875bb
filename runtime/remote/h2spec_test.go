//go:build h2spec

package remote_test

import (
	"encoding/xml"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"google.golang.org/grpc"

	"github.com/exgate/exgate/proto/exproto"
	"github.com/exgate/exgate/runtime/remote"
)

// conformance is h2spec's report in JUnit's format.
type conformance struct {
	Suites []struct {
		Package string `xml:"package,attr"`
		Cases   []struct {
			Name    string    `xml:"classname,attr"`
			Failure *struct{} `xml:"failure"`
			Error   *struct{} `xml:"error"`
		} `xml:"testcase"`
	} `xml:"testsuite"`
}

// buildH2spec builds the conformance tool that .tools/h2spec names.
func buildH2spec(t *testing.T) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "h2spec")
	build := exec.CommandContext(t.Context(), "go", "build", "-modfile=../../.tools/h2spec/go.mod", "-o", program,
		"github.com/summerwind/h2spec/cmd/h2spec")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building h2spec: %v\n%s", err, out)
	}
	return program
}

// failures runs h2spec against a server and returns the number of cases and the names of those that failed.
func failures(t *testing.T, h2spec, address string) (int, []string) {
	t.Helper()
	host, port, err := net.SplitHostPort(address)
	must(t, err)
	report := filepath.Join(t.TempDir(), "report.xml")
	out, err := exec.CommandContext(t.Context(), h2spec, "--strict", "--host", host, "--port", port, "--timeout", "1",
		"--path", exproto.ConnectionAdapter_Send_FullMethodName, "--junit-report", report).CombinedOutput()
	written, readErr := os.ReadFile(report)
	if readErr != nil {
		t.Fatalf("h2spec: %v, %v\n%s", err, readErr, out)
	}
	var found conformance
	must(t, xml.Unmarshal(written, &found))
	cases, failed := 0, []string(nil)
	for _, s := range found.Suites {
		for _, c := range s.Cases {
			cases++
			if c.Failure != nil || c.Error != nil {
				failed = append(failed, s.Package+": "+c.Name)
			}
		}
	}
	return cases, failed
}

// What the adapter adds around gRPC's server must not make its HTTP/2 worse.
func TestHTTP2IsAsConformantAsPlainGRPC(t *testing.T) {
	h2spec := buildH2spec(t)
	_, address := serveAdapter(t, remote.AdapterConfig{})
	plain := grpc.NewServer(grpc.MaxConcurrentStreams(1000), grpc.MaxHeaderListSize(64<<10))
	exproto.RegisterConnectionAdapterServer(plain, exproto.UnimplementedConnectionAdapterServer{})
	l := listen(t, "")
	go plain.Serve(l)
	defer plain.Stop()

	casesThere, theirs := failures(t, h2spec, l.Addr().String())
	cases, ours := failures(t, h2spec, address)
	t.Logf("%d of %d cases fail here, %d of %d with plain gRPC:\n%s", len(ours), cases, len(theirs), casesThere,
		strings.Join(ours, "\n"))
	if cases < 100 || cases != casesThere {
		t.Errorf("%d cases here, %d there", cases, casesThere)
	}
	// Some cases race against both servers: one that fails only here must fail each time.
	only := without(ours, theirs)
	for range 3 {
		if len(only) == 0 {
			return
		}
		_, again := failures(t, h2spec, address)
		_, theirs = failures(t, h2spec, l.Addr().String())
		only = without(slices.DeleteFunc(only, func(name string) bool { return !slices.Contains(again, name) }), theirs)
	}
	for _, name := range only {
		t.Errorf("only the adapter fails: %s", name)
	}
}

func without(names, excluded []string) []string {
	return slices.DeleteFunc(slices.Clone(names), func(name string) bool { return slices.Contains(excluded, name) })
}
