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

// ErrDifferent says that a module did not do what it should; what it did was printed.
var ErrDifferent = errors.New("the module does something else: lines that begin with - are missing, those with + are new")

// coveredText is what is said of connections that differ and have a covered password.
const coveredText = "%d of the connections that differ from the capture have a covered password in what the device sent. If a checksum, a length or a signature of the protocol is over it, the module " +
	"refuses it now: correct it in the capture (a line without crc is taken as it is), or record with module run --record, which keeps what you type\n"

// ReplayOptions are how a capture is played again.
type ReplayOptions struct {
	Golden string // the file with what the module must do. If zero, what the capture says
	Update bool   // write Golden instead of comparing with it
}

// Replay gives a module what a capture holds, and compares what it calls. It prints the difference to out and then returns [ErrDifferent], or else what was compared.
func Replay(ctx context.Context, s *Subject, captured string, out io.Writer, o ReplayOptions) error {
	report, err := s.replay(ctx, captured)
	if err != nil {
		return err
	}
	all, different := report.Replays()
	if all == 0 {
		return fmt.Errorf("%s has no connection from its beginning", captured)
	}
	if report.Truncated {
		fmt.Fprintln(out, "the capture ends in the middle of a line: it was replayed up to there")
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
	fmt.Fprintf(out, "%d connections replayed, %d of them different\n", all, different)
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
		fmt.Fprintf(out, "%s holds what the module did in %d connections\n", o.Golden, connections)
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
	fmt.Fprintf(out, "%d connections replayed, as %s says\n", connections, o.Golden)
	return nil
}
