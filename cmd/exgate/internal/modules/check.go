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

// Check reads every file of the folder, and loads and starts each module with its settings. Its error is of type
// [config.Problems].
func Check(ctx context.Context, folder string) error {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return config.Problems{{Where: folder, Text: err.Error()}}
	}
	var problems config.Problems
	for _, entry := range entries {
		path := filepath.Join(folder, entry.Name())
		ending := filepath.Ext(path)
		name := strings.TrimSuffix(entry.Name(), ending)
		if strings.HasPrefix(name, ".") {
			continue
		}
		switch ending {
		case config.ModuleFile:
			err = checkModule(ctx, path, name)
		case config.ModuleSettings:
			err = checkSettings(path, name)
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
		return errors.New("is not a valid name of a module: use a-z, 0-9, - and _")
	}
	module, err := readModule(path)
	if err != nil {
		return err
	}
	settings, file := &config.Module{}, strings.TrimSuffix(path, config.ModuleFile)+config.ModuleSettings
	if _, err := os.Lstat(file); err == nil {
		if settings, err = config.LoadModule(file, name); err != nil {
			return nil // reported for its own file
		}
	}
	guest := settings.Guest()
	guest.Name, guest.Module, guest.Logger, guest.Shards = name, module, slog.New(slog.DiscardHandler), 1
	engine, err := wasm.New(ctx, guest)
	if err != nil {
		return errors.New(strings.ReplaceAll(strings.TrimPrefix(err.Error(), "loading wasm handler "+name+": "), "\n",
			"; "))
	}
	return engine.Close(ctx)
}

func checkSettings(path, name string) error {
	if _, err := config.LoadModule(path, name); err != nil {
		return err
	}
	module := strings.TrimSuffix(path, config.ModuleSettings) + config.ModuleFile
	if _, err := os.Stat(module); err != nil {
		return errors.New("there is no " + filepath.Base(module) + " beside it")
	}
	return nil
}
