// Package config reads the operator's configuration: built-in defaults, then the configuration file, then the
// environment, then flags; each overrides the one before it, setting by setting.
//
// Errors are reported as [Problems]: each names the setting, and the file and line, the variable or the flag that set
// it.
//
// Begin reading with config.go, whose structs and tags are the schema (schema.go). load.go merges the sources; file.go
// and syntax.go read YAML with line numbers; rules.go and the file of each section check what the schema cannot
// express. The commented default file is default.yaml; docs/limits.md lists the settings that it omits.
//
// It imports the packages whose settings it checks, and never cmd/exgate/internal/service. It has no locks.
package config
