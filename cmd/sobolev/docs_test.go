package main

import (
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"sobolev/presets"
	"sobolev/rundir"
)

func readDoc(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// The configurations that README shows must resolve.
func TestReadmesConfigurationsResolve(t *testing.T) {
	blocks := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(readDoc(t, "../../README.md"), -1)
	if len(blocks) == 0 {
		t.Fatal("README.md shows no configuration")
	}
	for _, b := range blocks {
		cfg, err := rundir.ParseConfig("README.md", []byte(b[1]))
		if err == nil {
			_, err = cfg.Resolve()
		}
		if err != nil {
			t.Errorf("%v\n%s", err, b[1])
		}
	}
}

// Every sobolev command line in README must parse: a known verb, known flags,
// the right number of arguments.
func TestReadmesCommandsExist(t *testing.T) {
	lines := regexp.MustCompile(`(?m)^(?:sobolev|go run \./cmd/sobolev) ([^#\n]*)`).FindAllStringSubmatch(readDoc(t, "../../README.md"), -1)
	if len(lines) < 3 {
		t.Fatalf("README.md shows %d commands", len(lines))
	}
	for _, l := range lines {
		cmd, rest, err := newRoot().Find(strings.Fields(l[1]))
		if err == nil && !cmd.Runnable() {
			err = os.ErrInvalid
		}
		if err == nil {
			err = cmd.ParseFlags(rest)
		}
		if err == nil {
			err = cmd.ValidateArgs(cmd.Flags().Args())
		}
		if err != nil {
			t.Errorf("sobolev %s: %v", l[1], err)
		}
	}
}

func TestPresetsResolve(t *testing.T) {
	for _, name := range presets.Names() {
		text, err := presets.Read(name)
		if err != nil {
			t.Fatal(err)
		}
		cfg, err := rundir.Source{Name: name, Text: text}.Config()
		if err != nil {
			t.Error(err)
		}
		if cfg.Name != name {
			t.Errorf("preset %s has the name %q", name, cfg.Name)
		}
		if title := presets.Title(text); len(title) < 20 || !strings.HasSuffix(title, ".") {
			t.Errorf("preset %s: its first line %q is no description", name, title)
		}
	}
}

// docs/configuration.md has a row for every key that a file may have.
func TestEveryKeyIsDocumented(t *testing.T) {
	doc := readDoc(t, "../../docs/configuration.md")
	for _, key := range yamlKeys(reflect.TypeFor[rundir.Config](), "") {
		last := key[strings.LastIndex(key, ".")+1:]
		if !strings.Contains(doc, "`"+key+"`") && !strings.Contains(doc, "`"+last+"`") {
			t.Errorf("docs/configuration.md does not mention %s", key)
		}
	}
}

func yamlKeys(t reflect.Type, prefix string) []string {
	var keys []string
	for i := range t.NumField() {
		f := t.Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		if f.Type.Kind() == reflect.Struct {
			keys = append(keys, yamlKeys(f.Type, prefix+name+".")...)
			continue
		}
		keys = append(keys, prefix+name)
	}
	return keys
}
