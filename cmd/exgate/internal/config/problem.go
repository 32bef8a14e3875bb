package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Problem is one thing that is wrong with a configuration.
type Problem struct {
	Where string // file:line, the environment variable, the flag, or "defaults"
	Key   string // the setting, dotted; empty where there is none
	Text  string

	order int // the source, then the line
}

func (p Problem) Error() string {
	if p.Key == "" {
		return p.Where + ": " + p.Text
	}
	return p.Where + ": " + p.Key + ": " + p.Text
}

// Problems is everything that is wrong with a configuration, in the order of the sources.
type Problems []Problem

func (p Problems) Error() string {
	lines := make([]string, len(p))
	for i, problem := range p {
		lines[i] = problem.Error()
	}
	return strings.Join(lines, "\n")
}

// origin is where a setting was said.
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

// origins maps the dotted name of a setting to where it was said last.
type origins map[string]origin

// of returns where key was said, or else the closest section around it.
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

// Problem returns what is wrong with a setting of c that only using it could show, such as a port in use.
func (c *Config) Problem(key, format string, args ...any) Problem {
	at := c.origins.of(key)
	return Problem{Where: at.where, Key: c.shown(key), Text: fmt.Sprintf(format, args...), order: at.order}
}

// collector gathers problems.
type collector struct{ problems Problems }

func (c *collector) add(at origin, key, format string, args ...any) {
	c.problems = append(c.problems, Problem{Where: at.where, Key: key, Text: fmt.Sprintf(format, args...), order: at.order})
}

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
