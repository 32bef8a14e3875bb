package modules

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"github.com/exgate/exgate/cmd/exgate/internal/config"
	"github.com/exgate/exgate/runtime/wasm"
)

// Check reads every file of the modules folder of cfg, and loads and starts each module with its settings. Listeners of
// modules must not collide with each other or with anything in cfg. Its error is of type [config.Problems].
func Check(ctx context.Context, cfg *config.Config) error {
	folder := cfg.Modules
	entries, err := os.ReadDir(folder)
	if err != nil {
		return config.Problems{{Where: folder, Text: err.Error()}}
	}
	var problems config.Problems
	taken := new(config.Addresses)
	_ = taken.Add(cfg) // refused by config.Load
	for _, entry := range entries {
		path := filepath.Join(folder, entry.Name())
		ending := filepath.Ext(path)
		name := strings.TrimSuffix(entry.Name(), ending)
		if strings.HasPrefix(name, ".") {
			continue
		}
		switch ending {
		case config.ModuleFile, config.ScriptFile:
			err = checkModule(ctx, path, name)
		case config.ModuleSettings:
			err = checkSettings(cfg, taken, path, name)
		default:
			continue
		}
		var found config.Problems
		if !errors.As(err, &found) && err != nil {
			found = config.Problems{{Where: path, Text: strings.TrimPrefix(err.Error(), path+": ")}}
		}
		problems = append(problems, found...)
	}
	if len(problems) > 0 {
		return problems
	}
	return nil
}

func checkModule(ctx context.Context, path, name string) error {
	if !config.IsModuleName(name) {
		return errors.New("is not a valid module name: use a-z, 0-9, - and _")
	}
	base := strings.TrimSuffix(path, filepath.Ext(path))
	settings, file := &config.Module{}, base+config.ModuleSettings
	if _, err := os.Lstat(file); err == nil {
		if settings, err = config.LoadModule(file, name); err != nil {
			return nil // reported for its own file
		}
	}
	if _, err := os.Lstat(base + config.ModuleFile); err == nil && filepath.Ext(path) == config.ScriptFile {
		return errTwo(name)
	}
	module, err := readModule(path, settings)
	if err != nil {
		return err
	}
	guest := settings.Guest()
	guest.Name, guest.Module, guest.Logger, guest.Shards = name, module, slog.New(slog.DiscardHandler), 1
	engine, err := wasm.New(ctx, guest)
	if problems := settings.ConfigProblems(err); problems != nil {
		return problems
	}
	if err != nil {
		return errors.New(strings.ReplaceAll(strings.TrimPrefix(err.Error(), "loading wasm handler "+name+": "), "\n",
			"; "))
	}
	return engine.Close(ctx)
}

func checkSettings(cfg *config.Config, taken *config.Addresses, path, name string) error {
	settings, err := config.LoadModule(path, name)
	if err != nil {
		return err
	}
	base := strings.TrimSuffix(path, config.ModuleSettings)
	_, missing := os.Stat(base + config.ModuleFile)
	if _, err := os.Stat(base + config.ScriptFile); err != nil && missing != nil {
		return errors.New(noModule(name))
	}
	if !settings.HasListener {
		return nil
	}
	own := settings.Listening()
	if _, ok := cfg.Listeners[name]; ok {
		return config.Problems{own.Problem("listeners."+name, "has the name of listeners.%s (%s): rename one of them",
			name, cfg.Problem("listeners."+name, "").Where)}
	}
	if problems := taken.Add(own); len(problems) > 0 {
		return problems
	}
	return nil
}

// Listeners returns the configurations of the listeners that modules of a folder have. Broken settings are left out:
// [Check] reports them.
func Listeners(folder string) []*config.Config {
	paths, _ := filepath.Glob(filepath.Join(folder, "*"+config.ModuleSettings))
	var all []*config.Config
	for _, path := range paths {
		name := strings.TrimSuffix(filepath.Base(path), config.ModuleSettings)
		if m, err := config.LoadModule(path, name); err == nil && m.HasListener {
			all = append(all, m.Listening())
		}
	}
	return all
}
