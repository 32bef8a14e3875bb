package doctor

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"syscall"

	"github.com/exgate/exgate/cmd/exgate/internal/config"
	"github.com/exgate/exgate/cmd/exgate/internal/upgrade"
	"github.com/exgate/exgate/runtime/remote"
)

// running describes the running gateways.
type running struct {
	how  string // how the gateway of the configuration was found; empty if it is not running
	pids []int  // gateways on this machine
}

func findRunning(ctx context.Context, cfg *config.Config) running {
	r := running{pids: gatewayProcesses()}
	pid, err := upgrade.ReadPIDFile(cfg.PIDFile)
	switch {
	case cfg.PIDFile != "" && err == nil && alive(pid):
		r.how = fmt.Sprintf("process %d, from pid_file", pid)
		r.pids = append(r.pids, pid)
	case healthy(ctx, cfg.Metrics.Bind):
		r.answersAt("metrics.bind", cfg.Metrics.Bind)
	case cfg.HasGRPC() && adapterAnswers(ctx, cfg):
		r.answersAt("adapter.bind", cfg.Adapter.Bind)
	default:
		r.how = r.holding(cfg)
	}
	return r
}

func (r *running) answersAt(setting, bind string) {
	r.how = "it answers on " + setting
	if pid, _ := holder("tcp", bind); pid != 0 {
		r.pids = append(r.pids, pid)
	}
}

// holding looks for a gateway that has a configured socket open.
func (r running) holding(cfg *config.Config) string {
	for _, s := range socketsOf(cfg) {
		if pid, _ := holder(s.network, s.bind); pid != 0 && slices.Contains(r.pids, pid) {
			return fmt.Sprintf("process %d listens on %s", pid, s.setting)
		}
	}
	return ""
}

func alive(pid int) bool {
	err := syscall.Kill(pid, 0)
	return err == nil || errors.Is(err, syscall.EPERM)
}

// healthy requests /healthz.
func healthy(ctx context.Context, bind string) bool {
	if bind == "" {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+local(bind)+"/healthz", http.NoBody)
	if err != nil {
		return false
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Do(request)
	if err != nil {
		return false
	}
	defer func() { _ = response.Body.Close() }()
	body, _ := io.ReadAll(io.LimitReader(response.Body, 16))
	return response.StatusCode == http.StatusOK && strings.TrimSpace(string(body)) == "ok"
}

func adapterAnswers(ctx context.Context, cfg *config.Config) bool {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return !cfg.Said("adapter.tls") && remote.Inquiry{Address: local(cfg.Adapter.Bind)}.Adapter(ctx) == nil
}
