package modules

import (
	"errors"
	"os"
	"path/filepath"
	"strings"

	"github.com/exgate/exgate/cmd/exgate/internal/config"
)

// Check reads every file of the folder, as far as that goes without running a module. Its error is of type [config.Problems].
func Check(folder string) error {
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
			err = checkModule(path, name)
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

func checkModule(path, name string) error {
	if !config.IsModuleName(name) {
		return errors.New("is no name of a module: use a-z, 0-9, - and _")
	}
	_, err := readModule(path)
	return err
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
