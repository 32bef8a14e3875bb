package config

import (
	"cmp"
	"fmt"
	"iter"
	"slices"
	"strings"
	"unicode"
)

// Problem is one error in a configuration.
type Problem struct {
	Where string // file:line, the environment variable, the flag, or "defaults"
	Key   string // the setting, dotted; empty if the problem is not about one setting
	Text  string

	order int // the source, then the line
}

func (p Problem) Error() string {
	if p.Key == "" {
		return p.Where + ": " + p.Text
	}
	return p.Where + ": " + plain(p.Key) + ": " + p.Text
}

// plain makes a setting's name fit for one line of a terminal: keys may contain anything.
func plain(key string) string {
	const longest = 120
	if len(key) > longest {
		key = key[:longest] + "..."
	}
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, key)
}

// Problems holds all errors in a configuration, in the order of the sources.
type Problems []Problem

// mostShown bounds how many problems the text of an error lists.
const mostShown = 100

func (p Problems) Error() string {
	lines := make([]string, 0, min(len(p), mostShown+1))
	for _, problem := range p[:min(len(p), mostShown)] {
		lines = append(lines, problem.Error())
	}
	if more := len(p) - mostShown; more > 0 {
		lines = append(lines, fmt.Sprintf("and %d more", more))
	}
	return strings.Join(lines, "\n")
}

// origin is where a setting was set.
type origin struct {
	where string
	order int
}

// The order of the sources in messages; lines are added to orderFile.
const (
	orderDefaults = iota
	orderFile
	orderEnvironment = 1 << 30
	orderFlags       = orderEnvironment + 1
)

// origins maps the dotted name of a setting to where it was set last.
type origins map[string]origin

// of returns where key was set, or else where the closest section around it was.
func (o origins) of(key string) origin {
	for {
		if at, ok := o[key]; ok {
			return at
		}
		i := strings.LastIndexByte(key, '.')
		if i < 0 {
			return origin{where: "defaults"}
		}
		key = key[:i]
	}
}

// positions are the origins of a checked configuration.
type positions struct {
	origins
	first map[string]origin // of each section: where the first setting in it was set
}

func newPositions(all origins) *positions {
	p := &positions{origins: all, first: make(map[string]origin)}
	for key, at := range all {
		for section := range above(key) {
			first, ok := p.first[section]
			if !ok || at.order < first.order || at.order == first.order && at.where < first.where {
				p.first[section] = at
			}
		}
	}
	return p
}

// of is like that of origins, but a listener that only variables or flags configure was set where its first setting
// was.
func (p *positions) of(key string) origin {
	if p == nil {
		return origin{where: "defaults"}
	}
	listener := key
	for section := range above(key) {
		if section != "listeners" {
			listener = section
			continue
		}
		if _, inFile := p.origins[listener]; !inFile && p.first[listener].order >= orderEnvironment {
			if at, ok := p.origins[key]; ok {
				return at
			}
			return p.first[listener]
		}
	}
	return p.origins.of(key)
}

// above returns the sections around key, the innermost first.
func above(key string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for i := strings.LastIndexByte(key, '.'); i >= 0; i = strings.LastIndexByte(key, '.') {
			if key = key[:i]; !yield(key) {
				return
			}
		}
	}
}

// Problem returns a problem with a setting that shows only when it is used, such as a port that is taken.
func (c *Config) Problem(key, format string, args ...any) Problem {
	at := c.origins.of(key)
	return Problem{Where: at.where, Key: c.nameInFile(key), Text: fmt.Sprintf(format, args...), order: at.order}
}

// collector gathers problems.
type collector struct {
	problems Problems
	// the settings that have a problem and the sections around them; "" if one is about no setting
	wrong map[string]bool
}

func (c *collector) add(at origin, key, format string, args ...any) {
	c.append(Problem{Where: at.where, Key: key, Text: fmt.Sprintf(format, args...), order: at.order})
}

func (c *collector) append(p Problem) {
	if c.wrong == nil {
		c.wrong = make(map[string]bool)
	}
	c.problems = append(c.problems, p)
	c.wrong[p.Key] = true
	for section := range above(p.Key) {
		c.wrong[section] = true
	}
}

// broken reports whether key, something in it or the whole configuration has a problem.
func (c *collector) broken(key string) bool { return c.wrong[key] || c.wrong[""] }

// err returns the problems in order, or nil.
func (c *collector) err() error {
	if len(c.problems) == 0 {
		return nil
	}
	slices.SortStableFunc(c.problems, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.order, b.order), cmp.Compare(a.Key, b.Key))
	})
	return c.problems
}

// Warnings returns the settings that are valid but probably not intended, in the order of the sources.
func (c *Config) Warnings() Problems { return c.warnings }

// warn adds a warning about a setting.
func (r rules) warn(at origin, key, format string, args ...any) {
	r.cfg.warnings = append(r.cfg.warnings, Problem{
		Where: at.where, Key: key, Text: fmt.Sprintf(format, args...),
		order: at.order,
	})
}
