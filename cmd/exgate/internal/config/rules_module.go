package config

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// The endings of the files of a module in the folder of modules.
const (
	ModuleFile     = ".wasm"
	ModuleSettings = ".yaml"
)

// IsModuleName reports whether a module may be called so.
func IsModuleName(name string) bool { return listenerName.MatchString(name) }

// folder checks that a folder, if one is named, is there.
func (r rules) folder(key, name string) {
	if name == "" || r.broken(key) {
		return
	}
	info, err := os.Stat(name)
	switch {
	case err != nil:
		r.problem(key, "%s: %v", name, cause(err))
	case !info.IsDir():
		r.problem(key, "%s is a file, not a folder", name)
	}
}

// noFile checks that a folder, which is made where it is missing, can be one.
func (r rules) noFile(key, name string) {
	if info, err := os.Stat(name); err == nil && !info.IsDir() {
		r.problem(key, "%s is a file, not a folder", name)
	}
}

// named checks that a module is in the folder of modules.
func (r rules) named(key, name string) {
	for _, setting := range ofModules {
		if at, ok := r.cfg.said(key + "." + setting); ok {
			r.problems.add(at, key+"."+setting, "belongs in %s, beside the module", name+ModuleSettings)
		}
	}
	key += ".module"
	switch folder := r.cfg.Modules; {
	case r.broken(key) || r.broken("modules"):
	case folder == "":
		r.problem(key, "needs modules, the folder that %s is in", name+ModuleFile)
	case !IsModuleName(name):
		r.problem(key, "%s is no name of a module: use a-z, 0-9, - and _, and leave %s out", quoted(name), ModuleFile)
	default:
		if _, err := os.Stat(filepath.Join(folder, name+ModuleFile)); err != nil {
			r.problem(key, "%s: %v; %s", filepath.Join(folder, name+ModuleFile), cause(err), contents(folder))
		}
	}
}

// contents says which modules a folder has.
func contents(folder string) string {
	names, _ := filepath.Glob(filepath.Join(folder, "*"+ModuleFile))
	for i, name := range names {
		names[i] = strings.TrimSuffix(filepath.Base(name), ModuleFile)
	}
	names = slices.DeleteFunc(names, func(name string) bool { return !IsModuleName(name) })
	if len(names) == 0 {
		return "there is no module"
	}
	return "there is " + strings.Join(names, ", ")
}
