package manifest

import (
	"errors"
	"fmt"
	"regexp"
	"regexp/syntax"
	"strconv"
	"strings"
)

// maxCost bounds a schema: the number of schemas in it, counted again wherever a $ref repeats them, plus the
// instructions of its regular expressions and the values of its enums. Checking a configuration takes at most that many
// steps for each value, or for each byte of a text, in it.
const maxCost = 20_000

// maxPattern is the longest regular expression, in bytes.
const maxPattern = 1024

var (
	// oneSchema are the keywords with a schema, manySchemas with a list, and namedSchemas with schemas by name.
	oneSchema = []string{
		"additionalItems", "additionalProperties", "contains", "contentSchema", "else", "if", "items", "not",
		"propertyNames", "then", "unevaluatedItems", "unevaluatedProperties",
	}
	manySchemas  = []string{"allOf", "anyOf", "items", "oneOf", "prefixItems"}
	namedSchemas = []string{
		"$defs", "definitions", "dependencies", "dependentSchemas", "patternProperties", "properties",
	}
	// unsupported are keywords that refer to schemas in other ways than a path in the document.
	unsupported = []string{
		"$anchor", "$dynamicAnchor", "$dynamicRef", "$recursiveAnchor", "$recursiveRef", "$vocabulary",
	}
	drafts = regexp.MustCompile(`^https?://json-schema\.org/(draft/2020-12|draft/2019-09|draft-07)/schema#?$`)
)

// coster adds up what a schema costs.
type coster struct {
	document any
	costs    map[string]int  // of what a $ref refers to
	open     map[string]bool // the references that are being followed
	spent    int             // schemas looked at, so that the counting itself is bounded
}

var errCost = errors.New("the schema is too large, with what its references repeat")

// of returns the cost of a schema.
func (c *coster) of(s any, root bool) (cost int, err error) {
	if c.spent++; c.spent > maxCost {
		return 0, errCost
	}
	keywords, ok := s.(map[string]any)
	if !ok {
		if _, flag := s.(bool); !flag {
			return 0, errors.New("a schema is an object, true or false")
		}
		return 1, nil
	}
	if err := checkReferences(keywords, root); err != nil {
		return 0, err
	}
	cost = 1
	add := func(n int, e error) bool {
		if cost += n; e == nil && cost > maxCost {
			e = errCost
		}
		err = e
		return e == nil
	}
	for _, inner := range subschemas(keywords) {
		if !add(c.of(inner, false)) {
			return 0, err
		}
	}
	if ref, ok := keywords["$ref"]; ok && !add(c.reference(ref)) {
		return 0, err
	}
	if !add(patternCosts(keywords)) {
		return 0, err
	}
	if list, ok := keywords["enum"].([]any); ok && !add(len(list), nil) {
		return 0, err
	}
	return cost, nil
}

func checkReferences(keywords map[string]any, root bool) error {
	for _, word := range unsupported {
		if _, ok := keywords[word]; ok {
			return fmt.Errorf("the schema has %s: only $ref within the schema is supported", word)
		}
	}
	if _, ok := keywords["$id"]; ok && !root {
		return errors.New("the schema has an $id inside: only the whole schema may have one")
	}
	if draft, ok := keywords["$schema"]; ok {
		if text, _ := draft.(string); !drafts.MatchString(text) || !root {
			return fmt.Errorf("$schema %s: use that of draft 2020-12, 2019-09 or 7", quoted(fmt.Sprint(draft)))
		}
	}
	return nil
}

// subschemas returns the schemas that are directly in a schema.
func subschemas(keywords map[string]any) (all []any) {
	for _, word := range oneSchema {
		if s, ok := keywords[word]; ok {
			if _, list := s.([]any); !list {
				all = append(all, s)
			}
		}
	}
	for _, word := range manySchemas {
		if list, ok := keywords[word].([]any); ok {
			all = append(all, list...)
		}
	}
	for _, word := range namedSchemas {
		named, _ := keywords[word].(map[string]any)
		for _, s := range named {
			if _, list := s.([]any); !list { // dependencies may be lists of names
				all = append(all, s)
			}
		}
	}
	return all
}

// reference returns the cost of what a $ref refers to.
func (c *coster) reference(ref any) (int, error) {
	path, _ := ref.(string)
	if path != "#" && !strings.HasPrefix(path, "#/") {
		return 0, fmt.Errorf("$ref %s: only paths within the schema are followed, such as #/$defs/port; nothing is "+
			"loaded", quoted(fmt.Sprint(ref)))
	}
	if cost, ok := c.costs[path]; ok {
		return cost, nil
	}
	if c.open[path] || path == "#" {
		return 0, fmt.Errorf("$ref %s: the schema refers to itself, which is not supported", quoted(path))
	}
	target, err := find(c.document, path)
	if err != nil {
		return 0, err
	}
	c.open[path] = true
	cost, err := c.of(target, false)
	delete(c.open, path)
	c.costs[path] = cost
	return cost, err
}

// find returns what a path such as #/$defs/port leads to.
func find(document any, path string) (any, error) {
	for word := range strings.SplitSeq(strings.TrimPrefix(path, "#/"), "/") {
		if strings.ContainsAny(word, "%") {
			return nil, fmt.Errorf("$ref %s: escapes with %% are not supported", quoted(path))
		}
		word = strings.NewReplacer("~1", "/", "~0", "~").Replace(word)
		switch v := document.(type) {
		case map[string]any:
			document = v[word]
		case []any:
			i, err := strconv.Atoi(word)
			if err != nil || i < 0 || i >= len(v) {
				return nil, fmt.Errorf("$ref %s leads nowhere", quoted(path))
			}
			document = v[i]
		default:
			document = nil
		}
		if document == nil {
			return nil, fmt.Errorf("$ref %s leads nowhere", quoted(path))
		}
	}
	return document, nil
}

// patternCosts returns the cost of the regular expressions of a schema.
func patternCosts(keywords map[string]any) (cost int, err error) {
	var patterns []string
	if p, ok := keywords["pattern"].(string); ok {
		patterns = append(patterns, p)
	}
	named, _ := keywords["patternProperties"].(map[string]any)
	for p := range named {
		patterns = append(patterns, p)
	}
	for _, p := range patterns {
		n, err := patternCost(p)
		if cost += n; err != nil {
			return 0, err
		}
	}
	return cost, nil
}

func patternCost(pattern string) (int, error) {
	if len(pattern) > maxPattern {
		return 0, fmt.Errorf("the pattern %s: at most %d bytes", quoted(pattern), maxPattern)
	}
	parsed, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return 0, fmt.Errorf("the pattern %s: %s", quoted(pattern), printable(err.Error()))
	}
	program, err := syntax.Compile(parsed.Simplify())
	if err != nil {
		return 0, fmt.Errorf("the pattern %s: %s", quoted(pattern), printable(err.Error()))
	}
	return len(program.Inst), nil
}
