package rundir

import (
	"errors"
	"fmt"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/printer"
	"github.com/goccy/go-yaml/token"
)

// Source is what a user wrote: the text of a configuration and its overrides.
type Source struct {
	// Name is the file's, for errors, and names an experiment without a name.
	Name string
	Text []byte
	// Set overrides values of Text, each as "key=value"; see Config.Set.
	Set []string
}

// Config reads, overrides and resolves the configuration. Its errors say file,
// line and column, or which override is wrong.
func (s Source) Config() (Config, error) {
	c, err := ParseConfig(s.Name, s.Text)
	if err != nil {
		return c, err
	}
	for _, a := range s.Set {
		if err := c.Set(a); err != nil {
			return c, err
		}
	}
	if c.Name == "" {
		c.Name = s.experimentName()
	}
	if c, err = c.Resolve(); err != nil {
		return c, s.Locate(err)
	}
	return c, nil
}

// experimentName is the file's name with what no folder should have as '-'.
func (s Source) experimentName() string {
	base := filepath.Base(s.Name)
	return strings.Map(func(r rune) rune {
		if nameRune(r) {
			return r
		}
		return '-'
	}, strings.TrimSuffix(base, filepath.Ext(base)))
}

// Locate adds to an error that is or wraps a *ValueError where the value was
// written: an override, a line and column, or at least the file.
func (s Source) Locate(err error) error {
	var v *ValueError
	if !errors.As(err, &v) {
		return err
	}
	for i := len(s.Set) - 1; i >= 0; i-- {
		if key, _, _ := strings.Cut(s.Set[i], "="); within(v.Key, key) {
			return fmt.Errorf("--set %s: %w", s.Set[i], err)
		}
	}
	if body, perr := parseYAML(s.Text); perr == nil && body != nil {
		if t := tokenOf(body, v.Key); t != nil {
			return fmt.Errorf("%s:%d:%d: %w%s", s.Name, t.Position.Line, t.Position.Column, err, excerpt(t))
		}
	}
	return fmt.Errorf("%s: %w", s.Name, err)
}

// within says whether key is outer or lies below it.
func within(key, outer string) bool {
	rest, ok := strings.CutPrefix(key, outer)
	return ok && (rest == "" || rest[0] == '.' || rest[0] == '[')
}

// tokenOf returns where the value of a dotted key stands or, where that is
// missing, the nearest value around it; nil if not even its first part is there.
func tokenOf(n ast.Node, key string) *token.Token {
	var found *token.Token
	for _, part := range strings.FieldsFunc(key, func(r rune) bool { return r == '.' || r == '[' || r == ']' }) {
		if n = child(n, part); n == nil {
			break
		}
		found = start(n)
	}
	return found
}

func child(n ast.Node, part string) ast.Node {
	switch n := n.(type) {
	case ast.MapNode:
		for it := n.MapRange(); it.Next(); {
			if it.Key().GetToken().Value == part {
				return it.Value()
			}
		}
	case *ast.SequenceNode:
		if i, err := strconv.Atoi(part); err == nil && i < len(n.Values) {
			return n.Values[i]
		}
	}
	return nil
}

// ParseConfig reads a configuration strictly: an unknown or repeated key or a
// value of the wrong type is an error with line and column. name is the file's,
// for errors. Defaults are not filled in.
func ParseConfig(name string, data []byte) (Config, error) {
	var c Config
	err := readYAML(name, data, &c)
	return c, err
}

// readYAML reads the only document of data into the struct that p points to.
func readYAML(name string, data []byte, p any) error {
	body, err := parseYAML(data)
	switch {
	case err != nil:
		return positioned(name, err)
	case body == nil || body.Type() == ast.NullType:
		return fmt.Errorf("%s: is empty", name)
	}
	if err := decode(body, reflect.ValueOf(p).Elem()); err != nil {
		return positioned(name, err)
	}
	return nil
}

// Set overrides one value of c: assignment is "key=value" with a dotted key and
// a YAML value, such as "grid.batch_size=[10, 20]". A list is replaced; of keys
// and values in braces those are that it names.
func (c *Config) Set(assignment string) error {
	fail := func(format string, args ...any) error {
		return fmt.Errorf("--set %s: %s", assignment, fmt.Sprintf(format, args...))
	}
	key, value, ok := strings.Cut(assignment, "=")
	if !ok || key == "" {
		return fail("want key=value, such as grid.batch_size=[10,20]")
	}
	v := reflect.ValueOf(c).Elem()
	for part := range strings.SplitSeq(key, ".") {
		if v.Kind() != reflect.Struct {
			return fail("there is nothing below %q", strings.TrimSuffix(key, "."+part))
		}
		field, ok := fieldOf(v, part)
		if !ok {
			return fail("unknown key %q; the keys here are %s", part, strings.Join(keysOf(v.Type()), ", "))
		}
		v = field
	}
	body, err := parseYAML([]byte(value))
	if err == nil && body == nil {
		err = errors.New("the value is missing")
	}
	if err == nil {
		err = decode(body, v)
	}
	var at yaml.Error
	if errors.As(err, &at) {
		return fail("%s", at.GetMessage())
	}
	if err != nil {
		return fail("%v", err)
	}
	if key == "repetitions" && c.Repetitions == 0 {
		return fail("0 is below 1") // not the default, which would take points out of the grid
	}
	return nil
}

// positioned renders an error of the YAML reader as "name:line:column: what",
// with the lines of the source around it.
func positioned(name string, err error) error {
	var at yaml.Error
	if !errors.As(err, &at) || at.GetToken() == nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	p := at.GetToken().Position
	return fmt.Errorf("%s:%d:%d: %s%s", name, p.Line, p.Column, at.GetMessage(), excerpt(at.GetToken()))
}

// excerpt shows the lines around a token, unless one is too long for that.
func excerpt(t *token.Token) string {
	var p printer.Printer
	text := strings.TrimRight(p.PrintErrorToken(t, false), " \n")
	for line := range strings.SplitSeq(text, "\n") {
		if len(line) > 160 {
			return ""
		}
	}
	return "\n" + text
}
