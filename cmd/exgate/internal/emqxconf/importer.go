package emqxconf

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"regexp"

	"github.com/exgate/exgate/cmd/exgate/internal/emqxconf/hocon"
	"github.com/exgate/exgate/internal/boundedfile"
)

// Options supplies what the configuration of EMQX does not contain.
type Options struct {
	// EtcDir is the absolute path of EMQX's configuration folder on this machine, to which certificate paths are
	// relative. If zero, it is the folder of the imported file, or its parent if that is called plugins.
	EtcDir string
	// Upstream is the URL of the broker, such as mqtt://host:1883. If zero, the result uses the embedded broker, with a
	// comment.
	Upstream string

	readFile  func(name string) ([]byte, error) // reads the file and its includes; tests replace it
	lookupEnv func(name string) (string, bool)  // resolves variables in file names; tests replace it
}

// Result is a configuration of exgate and the findings.
type Result struct {
	YAML      []byte
	Findings  []Finding // file by file and line by line
	Listeners int
}

// Decisions returns the number of findings that need a decision.
func (r *Result) Decisions() int {
	n := 0
	for _, f := range r.Findings {
		if !f.Needless {
			n++
		}
	}
	return n
}

// ErrNoExProto reports a file without settings of ExProto.
var ErrNoExProto = errors.New("has no ExProto settings: they are in etc/plugins/emqx_exproto.conf of EMQX 4 " +
	"(exproto.listener...), and in " +
	"etc/emqx.conf or data/configs/cluster.hocon of EMQX 5 (gateway.exproto)")

// largest bounds a file of EMQX, in bytes.
const largest = 16 << 20

type importer struct {
	opts      Options
	out       target
	findings  []Finding
	found     map[Finding]bool
	listeners int
	beyond    *hocon.Value // the first listener beyond mostListeners, or nil
}

// Import reads a configuration of EMQX. The error is a read error, a [hocon.SyntaxError] or [ErrNoExProto].
func Import(file string, opts Options) (*Result, error) {
	im := &importer{opts: opts, out: newTarget()}
	if err := im.defaults(file); err != nil {
		return nil, err
	}
	text, err := im.opts.readFile(file)
	if err != nil {
		return nil, err
	}
	im.adapter()
	if v4Line.Match(text) {
		err = im.readV4(file, string(text))
	} else {
		err = im.readV5(file, text)
	}
	if err == nil && im.beyond != nil {
		err = &hocon.SyntaxError{
			File: im.beyond.File, Line: im.beyond.Line,
			What: fmt.Sprintf("the configuration has more than %d listeners", mostListeners),
		}
	}
	if err != nil {
		return nil, err
	}
	im.upstream()
	findings := sorted(im.findings)
	yaml, err := im.out.render(head(file, findings))
	return &Result{YAML: yaml, Findings: findings, Listeners: im.listeners}, err
}

func (im *importer) defaults(file string) (err error) {
	if im.opts.readFile == nil {
		im.opts.readFile = func(name string) ([]byte, error) { return boundedfile.Read(name, largest) }
	}
	if im.opts.lookupEnv == nil {
		im.opts.lookupEnv = os.LookupEnv
	}
	if im.opts.EtcDir == "" {
		im.opts.EtcDir, err = etcDir(file)
	}
	return err
}

// v4Line is a setting of emqx_exproto.conf.
var v4Line = regexp.MustCompile(`(?m)^\s*exproto\.(listener\.|serv(er|ice)\.https?\.)`)

func (im *importer) readV4(file, text string) error {
	root, err := parseCuttlefish(file, text)
	if err != nil {
		return err
	}
	im.importV4(flatten(root).Fields["exproto"])
	return nil
}

func (im *importer) readV5(file string, text []byte) error {
	read := func(name string) ([]byte, error) {
		if name == file {
			return text, nil
		}
		return im.opts.readFile(name)
	}
	if !bytes.Contains(text, []byte("exproto")) && !bytes.Contains(text, []byte("include")) {
		return fmt.Errorf("%s: %w", file, ErrNoExProto)
	}
	doc, err := hocon.Parse(file, read)
	if err != nil {
		return err
	}
	exproto, err := doc.Lookup("gateway", "exproto")
	switch {
	case err != nil:
		return err
	case exproto == nil || exproto.Kind != hocon.Object:
		return fmt.Errorf("%s: %w", file, ErrNoExProto)
	}
	for _, missing := range doc.Missing {
		im.decide(missing, "include", "the file does not exist; like EMQX, the import continues without it")
	}
	im.importV5(exproto)
	return nil
}

// adapter sets the default address of EMQX's adapter.
func (im *importer) adapter() {
	im.out.set("adapter.bind", ":9100")
	im.out.section("adapter").note("bind", adapterNote)
}

// upstream sets the broker, which used to be EMQX itself.
func (im *importer) upstream() {
	if im.opts.Upstream != "" {
		im.out.set("upstream.url", im.opts.Upstream)
		return
	}
	im.out.set("upstream.embedded.bind", "127.0.0.1:1883")
	im.out.comment("upstream", "Without --upstream, devices are connected to the embedded broker, which is empty and "+
		"which no one else uses yet.\n"+
		"For your own broker, such as EMQX itself, write: upstream: {url: mqtt://broker.example:1883}")
}

// head returns the comment before the result.
func head(file string, findings []Finding) []string {
	lines := []string{"Converted from " + printable(file) +
		" by exgate config import. To check it: exgate config check -c THIS_FILE"}
	var decisions []string
	for _, f := range findings {
		if !f.Needless {
			decisions = append(decisions, "  "+f.String())
		}
	}
	if len(decisions) > 0 {
		lines = append(lines, "", "Not carried over unchanged; decide about:")
	}
	return append(lines, decisions...)
}

// String returns the findings as a list, beginning with those that need a decision.
func (r *Result) String() string {
	var b bytes.Buffer
	for _, needless := range []bool{false, true} {
		for _, f := range r.Findings {
			if f.Needless == needless {
				fmt.Fprintln(&b, f)
			}
		}
	}
	return b.String()
}
