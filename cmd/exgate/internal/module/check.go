package module

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/exgate/exgate/hostabi/conformance"
	"github.com/exgate/exgate/hostabi/manifest"
	"github.com/exgate/exgate/runtime/wasm"
)

// Examination is the result of [Check].
type Examination struct {
	File     string             `json:"file"`
	Manifest *manifest.Manifest `json:"manifest,omitempty"`
	conformance.Facts
	Starts     string `json:"starts_in,omitempty"` // the time to create an instance, formatted
	StartImage bool   `json:"start_image"`
	NoImage    string `json:"no_start_image,omitempty"` // why not
	conformance.Report
	OK bool `json:"ok"`
}

// CheckOptions configures [Check].
type CheckOptions struct {
	Samples  [][]byte           // what devices send. If nil, the kit's own samples
	Only     []string           // the scenarios to run. If nil, all
	Progress func(check string) // called before each check. Optional
}

// Check describes a module and runs it through the conformance kit in the gateway's engine. Faults of the module are in
// the result; an error means that the check itself failed.
func Check(ctx context.Context, s *Subject, o CheckOptions) (x Examination, err error) {
	x.File = s.Path
	var problem error
	if x.Facts, problem, err = conformance.Inspect(ctx, s.Module); err != nil || problem != nil {
		x.fail("module", cmp.Or(err, problem))
		return x, nil
	}
	x.add("module", conformance.Pass, "exports and imports match exproto_v1")
	if x.Manifest, problem = manifest.Of(s.Module); problem != nil {
		x.fail("manifest", problem)
		return x, nil
	}
	h := newHost(s)
	defer func() { err = errors.Join(err, h.close(ctx)) }()
	e, engineErr := h.engine(ctx, s.Config)
	if engineErr != nil {
		x.fail("start", engineErr)
		return x, nil
	}
	x.StartImage, x.NoImage = e.StartImage()
	x.manifest(s)
	took, _, startErr := startTime(ctx, h, s.Config)
	if startErr != nil {
		x.fail("start", startErr)
		return x, nil
	}
	x.Starts = took.Round(time.Microsecond).String()
	r := conformance.Run(ctx, h, conformance.Options{
		Config: s.Config, Samples: o.Samples, Only: o.Only,
		Progress: o.Progress,
	})
	x.Checks = append(x.Checks, r.Checks...)
	x.OK = x.Report.OK()
	return x, nil
}

// manifest adds what the manifest says and the module does not have.
func (x *Examination) manifest(s *Subject) {
	switch more := s.Limits.BeyondLimits(x.Manifest); {
	case x.Manifest == nil:
		return
	case more != nil:
		x.add("manifest", conformance.Warn, "the module wants more than its limits allow: "+strings.Join(more, ", "))
	default:
		x.add("manifest", conformance.Pass, "it is well-formed, and the configuration matches its schema")
	}
}

func (x *Examination) add(name string, v conformance.Verdict, why string) {
	x.Checks = append(x.Checks, conformance.Check{Name: name, Verdict: v, Why: why})
}

func (x *Examination) fail(name string, err error) {
	x.add(name, conformance.Fail, withStack(err).Error())
}

// withStack adds the guest's stack, if err has one, to the text of an error.
func withStack(err error) error {
	if trace := wasm.TraceOf(err); trace != nil {
		return fmt.Errorf("%w\nin %s", err, strings.ReplaceAll(trace.String(), "\n", "\nin "))
	}
	return err
}
