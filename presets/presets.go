// Package presets holds the configurations of the paper's figures, and of the
// quickstart, one YAML file each. The first comment of a file describes it.
package presets

import (
	"embed"
	"fmt"
	"strings"
)

//go:embed *.yaml
var files embed.FS

// Names returns the presets in alphabetical order.
func Names() []string {
	entries, err := files.ReadDir(".")
	if err != nil {
		panic("presets: " + err.Error())
	}
	var names []string
	for _, e := range entries {
		names = append(names, strings.TrimSuffix(e.Name(), ".yaml"))
	}
	return names
}

// Read returns the YAML text of a preset.
func Read(name string) ([]byte, error) {
	data, err := files.ReadFile(name + ".yaml")
	if err != nil {
		return nil, fmt.Errorf("there is no preset %q; the presets are %s, and a configuration file ends in .yaml", name, strings.Join(Names(), ", "))
	}
	return data, nil
}

// Title returns the first line of a preset's comment.
func Title(text []byte) string {
	line, _, _ := strings.Cut(string(text), "\n")
	return strings.TrimSpace(strings.TrimPrefix(line, "#"))
}
