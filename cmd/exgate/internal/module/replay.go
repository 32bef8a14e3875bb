package module

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"

	"github.com/rogpeppe/go-internal/diff"

	"github.com/exgate/exgate/internal/boundedfile"
	"github.com/exgate/exgate/runtime/tap/capture"
	"github.com/exgate/exgate/runtime/tap/replay"
	"github.com/exgate/exgate/runtime/wasm"
)

// ErrDifferent reports that a module behaved differently; the differences have been printed.
var ErrDifferent = errors.New("the module behaves differently: lines that begin with - are missing, lines that " +
	"begin with + are new")

// coveredText explains differences in connections with a masked password.
const coveredText = "%d of the connections that differ contain a masked password. If the protocol has a checksum, " +
	"length or signature over the password, the module rejects it: correct it in the capture (a line without crc is " +
	"not verified), or record with module run --record, which does not mask\n"

// ReplayOptions configures [Replay].
type ReplayOptions struct {
	Golden string // the file with the expected calls. If empty, those of the capture are expected
	Update bool   // write Golden instead of comparing with it
}

// Replay plays a capture to a module and compares its calls. If they differ, it prints the differences to out and
// returns [ErrDifferent]; otherwise it prints what it compared.
func Replay(ctx context.Context, s *Subject, captured string, out io.Writer, o ReplayOptions) error {
	report, err := s.replay(ctx, captured)
	if err != nil {
		return err
	}
	all, different := report.Replays()
	if all == 0 {
		return fmt.Errorf("%s contains no connection that was recorded from its start", captured)
	}
	if report.Truncated {
		fmt.Fprintln(out, "the capture ends in the middle of a line; replayed up to there")
	}
	if _, suspect := report.Covered(); suspect > 0 {
		fmt.Fprintf(out, coveredText, suspect)
	}
	if o.Golden != "" {
		return o.golden(report, out, all)
	}
	if err := report.WriteDiff(out); err != nil {
		return fmt.Errorf("printing the difference: %w", err)
	}
	fmt.Fprintf(out, "replayed %d connections, %d of them differ\n", all, different)
	if !report.Same() {
		return ErrDifferent
	}
	return nil
}

func (s *Subject) replay(ctx context.Context, captured string) (report *replay.Report, err error) {
	f, err := boundedfile.Open(captured)
	if err != nil {
		return nil, fmt.Errorf("reading the capture: %w", err)
	}
	defer func() { _ = f.Close() }()
	r, err := capture.NewReader(f)
	if err != nil {
		return nil, fmt.Errorf("reading the capture %s: %w", captured, err)
	}
	engine, err := s.engine(ctx, s.Config, slog.New(slog.DiscardHandler), wasm.IsolationShared)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, engine.Close(ctx)) }()
	if report, err = replay.Run(ctx, engine, r); err != nil {
		return nil, fmt.Errorf("replaying %s: %w", captured, err)
	}
	return report, nil
}

// golden compares with the file, or writes it.
func (o ReplayOptions) golden(report *replay.Report, out io.Writer, connections int) error {
	var did bytes.Buffer
	if err := report.WriteTrace(&did); err != nil {
		return fmt.Errorf("writing the trace: %w", err)
	}
	if o.Update {
		if err := os.WriteFile(o.Golden, did.Bytes(), 0o600); err != nil {
			return fmt.Errorf("writing --golden: %w", err)
		}
		fmt.Fprintf(out, "%s: wrote what the module did in %d connections\n", o.Golden, connections)
		return nil
	}
	want, err := boundedfile.Read(o.Golden, maxGolden)
	if err != nil {
		return fmt.Errorf("reading --golden, which --update writes: %w", err)
	}
	if !bytes.Equal(want, did.Bytes()) {
		if _, err := out.Write(diff.Diff(o.Golden, want, "replayed", did.Bytes())); err != nil {
			return fmt.Errorf("printing the difference: %w", err)
		}
		return ErrDifferent
	}
	fmt.Fprintf(out, "replayed %d connections, as in %s\n", connections, o.Golden)
	return nil
}
