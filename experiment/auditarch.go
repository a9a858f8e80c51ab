package experiment

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"

	"sobolev/nn"
	"sobolev/rundir"
)

// readArchitecture reads a YAML file in the form of a configuration's model
// section of kind layers,
//
//	input: [2, 8, 8]
//	layers: [conv: {out: 3, kernel: 3}, relu, flatten, linear: 2]
//	weights: [features, classifier]
//
// of which input may be left out for shape, and weights, the prefixes of the
// tensors' names in the order of the layers, where only one order fits.
func readArchitecture(path string, shape []int) (arch nn.Architecture, weights []string, err error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return arch, nil, err
	}
	return parseArchitecture(path, string(text), shape)
}

// parseArchitecture reads the text of a file.
func parseArchitecture(path, text string, shape []int) (arch nn.Architecture, weights []string, err error) {
	wrong := func(err error) error { return &rundir.ValueError{Key: "arch", Problem: err.Error()} }
	rest, value, again := cutWeights(withoutMarker(text))
	if again > 0 {
		return arch, nil, wrong(fmt.Errorf("%s:%d:1: weights: is there twice", path, again))
	}
	if value != "" {
		if weights, err = parseWeights(value); err != nil {
			return arch, nil, wrong(fmt.Errorf("%s: weights: %w", path, err))
		}
	}
	model, src, err := parseModel(path, rest)
	if err != nil {
		return arch, nil, wrong(err)
	}
	if arch, err = newArchitecture(model, shape, model.Layers[len(model.Layers)-1].Size); err != nil {
		return arch, nil, wrong(unwrapped(src.Locate(err)))
	}
	return arch, weights, nil
}

// indentation is what stands before a line of an architecture where it is the
// model section of a configuration.
const indentation = "  "

// parseModel reads the text as the model section of a configuration.
func parseModel(path, text string) (rundir.Model, rundir.Source, error) {
	var wrapped strings.Builder
	wrapped.WriteString("model:\n")
	for line := range strings.Lines(text) {
		wrapped.WriteString(indentation + line)
	}
	src := rundir.Source{Name: path, Text: []byte(wrapped.String())}
	cfg, err := rundir.ParseConfig(src.Name, src.Text)
	if err != nil {
		return rundir.Model{}, src, unwrapped(err)
	}
	if cfg.Model.Kind == "" {
		cfg.Model.Kind = "layers"
	}
	if cfg.Model.Kind != "layers" {
		return rundir.Model{}, src, fmt.Errorf("%s: kind %s; an architecture lists its layers", path, cfg.Model.Kind)
	}
	if cfg.Model.Init != "" {
		return rundir.Model{}, src, fmt.Errorf("%s: init: does nothing; the weights are those of the file", path)
	}
	cfg.Dataset.Name, cfg.SGD.Iterations = "npz", 1
	cfg.Grid.LearningRate, cfg.Grid.BatchSize = []float64{1}, []int{1}
	if cfg, err = cfg.Resolve(); err != nil {
		return rundir.Model{}, src, unwrapped(src.Locate(err))
	}
	return cfg.Model, src, nil
}

var position = regexp.MustCompile(`:(\d+):(\d+): `)

// unwrapped gives an error of the wrapped text the place in the file, and leaves
// out its excerpt.
func unwrapped(err error) error {
	text, _, _ := strings.Cut(err.Error(), "\n")
	if at := position.FindStringSubmatchIndex(text); at != nil {
		line, _ := strconv.Atoi(text[at[2]:at[3]])
		column, _ := strconv.Atoi(text[at[4]:at[5]])
		text = fmt.Sprintf("%s:%d:%d: %s", text[:at[0]], line-1, max(1, column-len(indentation)), text[at[1]:])
	}
	text = modelKeys.ReplaceAllString(text, "${1}input, layers, weights, frozen")
	return errors.New(strings.ReplaceAll(text, "model.", ""))
}

// modelKeys is the list of a model section's keys in a message. Of those, an
// architecture has the ones of its kind, and one of its own.
var modelKeys = regexp.MustCompile(`(the keys here are |keys and values \()kind(, [a-z]+)*`)

// withoutMarker leaves out the marker of a YAML document that a text begins with.
func withoutMarker(text string) string {
	return leadingMarker.ReplaceAllString(text, "$1$2")
}

var leadingMarker = regexp.MustCompile(`\A((?:[ \t]*(?:#[^\n]*)?\r?\n)*)---[ \t]*(\r?\n|$)`)

var (
	weightsKey = regexp.MustCompile(`^weights[ \t]*:`)
	ofValue    = regexp.MustCompile(`^([ \t#\]]|-[ \r\n]|\r?\n)`)
)

// cutWeights takes the value of the key weights out of the text, and leaves empty
// lines in its place. again is the line where the key is a second time, or 0.
func cutWeights(text string) (rest, value string, again int) {
	var others, own strings.Builder
	inside, number := false, 0
	for line := range strings.Lines(text) {
		number++
		if key := weightsKey.FindString(line); key != "" && own.Len() > 0 {
			return "", "", number
		} else if key != "" {
			inside, line = true, line[len(key):]
		} else if inside && !ofValue.MatchString(line) {
			inside = false
		}
		if inside {
			own.WriteString(line)
			line = "\n"
		}
		others.WriteString(line)
	}
	return others.String(), own.String(), 0
}

// parseWeights reads a YAML list of strings, by way of a key that has one.
func parseWeights(value string) ([]string, error) {
	var c rundir.Config
	if err := c.Set("grid.method=" + value); err != nil || len(c.Grid.Method) == 0 {
		return nil, errors.New("want a list of prefixes such as [features, classifier]")
	}
	return c.Grid.Method, nil
}
