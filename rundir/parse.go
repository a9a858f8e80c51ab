package rundir

import (
	"fmt"
	"strings"

	"github.com/goccy/go-yaml"
)

// ParseConfig reads a configuration strictly: an unknown key or a value of the
// wrong type is an error with line and column. name is the file's, for errors.
func ParseConfig(name string, data []byte) (Config, error) {
	var c Config
	if err := yaml.UnmarshalWithOptions(data, &c, yaml.DisallowUnknownField()); err != nil {
		return c, positioned(name, err)
	}
	return c, nil
}

// Set overrides one value of c: assignment is "key=value" with a dotted key and
// a YAML value, such as "grid.batch_size=[10, 20]".
func (c *Config) Set(assignment string) error {
	key, value, ok := strings.Cut(assignment, "=")
	if !ok || key == "" {
		return fmt.Errorf("--set %s: want key=value, such as grid.batch_size=[10,20]", assignment)
	}
	parts := strings.Split(key, ".")
	var doc strings.Builder
	for depth, part := range parts {
		fmt.Fprintf(&doc, "%s%s:", strings.Repeat("  ", depth), part)
		if depth < len(parts)-1 {
			doc.WriteByte('\n')
		}
	}
	doc.WriteString(" " + value + "\n")
	if err := yaml.UnmarshalWithOptions([]byte(doc.String()), c, yaml.DisallowUnknownField()); err != nil {
		return positioned("--set "+assignment, err)
	}
	return nil
}

// positioned renders an error of the YAML reader as "name:line:column: what",
// with the lines of the source around it.
func positioned(name string, err error) error {
	text := strings.TrimSpace(yaml.FormatError(err, false, true))
	if rest, ok := strings.CutPrefix(text, "["); ok {
		if at, what, ok := strings.Cut(rest, "] "); ok {
			return fmt.Errorf("%s:%s: %s", name, at, what)
		}
	}
	return fmt.Errorf("%s: %s", name, text)
}
