package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"sobolev/rundir"
)

// series is a column of the page's data: either Values, or Codes that count Words
// from 0; −1 and null stand for no value.
type series struct {
	Name   string   `json:"name"`
	Label  string   `json:"label"`
	Values decimals `json:"values,omitempty"`
	Words  []string `json:"words,omitempty"`
	Codes  []int    `json:"codes,omitempty"`
}

// decimals are numbers to five significant digits, more than a chart shows: ten
// thousand points have half a million of them.
type decimals []float64

// MarshalJSON writes null for what is not finite, and integers whole.
func (values decimals) MarshalJSON() ([]byte, error) {
	text := []byte{'['}
	for i, v := range values {
		if i > 0 {
			text = append(text, ',')
		}
		switch {
		case !finite(v):
			text = append(text, "null"...)
		case v == math.Trunc(v) && math.Abs(v) < 1e15:
			text = strconv.AppendInt(text, int64(v), 10)
		default:
			text = strconv.AppendFloat(text, v, 'g', 5, 64)
		}
	}
	return append(text, ']'), nil
}

// tableData is what the page's charts and its table of points are made of.
type tableData struct {
	Format  int      `json:"format"`
	Points  []string `json:"points"`
	Columns []series `json:"columns"`
	// Curves are those of the figures that have them, by the figures' names.
	Curves map[string][]lineChart `json:"curves,omitempty"`
}

// Data is the table of points as JSON, for the page's charts: the columns of
// results.csv that hold anything, numbers to five digits; what follows from them
// (η/B, 2/η, margins, how loose bounds are); and why a point does not count. The
// points are those of the records and those of the grid that have none yet, in the
// order of Records.
func Data(cfg rundir.Config, records []rundir.Record, inUse bool) ([]byte, error) {
	all, _ := solutions(cfg, slices.Clone(records), inUse)
	return dataOf(all, cfg.Grid.Method, nil)
}

// Rows is Data of the records alone, for a page that has all points already and shows
// these as they are now.
func Rows(records []rundir.Record, inUse bool) ([]byte, error) {
	all := make([]solution, len(records))
	for i, r := range records {
		all[i] = solution{Record: r, leftOut: reason(r, inUse)}
	}
	return dataOf(all, nil, nil)
}

// Data is that of the report's own records, with its Curves.
func (r *Report) Data() ([]byte, error) {
	return dataOf(r.solutions, r.Config.Grid.Method, r.curvesOfFigures())
}

// Curves are the lines that the page's charts draw, as JSON by the figures' names.
func (r *Report) Curves() ([]byte, error) {
	var b bytes.Buffer
	err := json.NewEncoder(&b).Encode(r.curvesOfFigures())
	return b.Bytes(), err
}

func (r *Report) curvesOfFigures() map[string][]lineChart {
	curves := map[string][]lineChart{}
	for _, f := range r.figures() {
		if f.curves == nil {
			continue
		}
		for _, c := range f.curves() {
			curves[f.name] = append(curves[f.name], c.sharing())
		}
	}
	return curves
}

// dataOf has methods in the given order, then others.
func dataOf(all []solution, methods []string, curves map[string][]lineChart) ([]byte, error) {
	d := tableData{Curves: curves, Format: rundir.Format, Points: make([]string, len(all))}
	records := make([]rundir.Record, len(all))
	for i := range all {
		records[i] = all[i].Record
		d.Points[i] = all[i].Name
	}
	for _, c := range rundir.ResultColumns(records) {
		switch c.Name {
		case "point":
		case "method":
			d.add(seriesOf(c, methods...))
		default:
			d.add(seriesOf(c))
		}
	}
	quantities := derived(all)
	values := make([]decimals, len(quantities))
	for i := range values {
		values[i] = make(decimals, len(all))
	}
	// Solution by solution: results are large, and each is fetched from memory once.
	for i := range all {
		for j, q := range quantities {
			values[j][i] = q.of(&all[i])
		}
	}
	for i, q := range quantities {
		d.add(series{Name: q.column, Label: q.label, Values: values[i]})
	}
	standing := rundir.Column{Name: "left_out", Values: make([]any, len(all))}
	for i := range all {
		if why := all[i].leftOut; why != "" {
			standing.Values[i] = why
		}
	}
	d.add(seriesOf(standing))
	var b bytes.Buffer
	err := json.NewEncoder(&b).Encode(d) // escapes what HTML would take for markup
	return b.Bytes(), err
}

// add leaves out a column without any value.
func (d *tableData) add(s series) {
	if slices.ContainsFunc(s.Values, finite) || len(s.Words) > 0 {
		d.Columns = append(d.Columns, s)
	}
}

// seriesOf keeps numbers as numbers, and anything else as words; a seed is a word,
// since it may have more digits than a number of JavaScript. The words are those given,
// then others in the order that they come in.
func seriesOf(c rundir.Column, words ...string) series {
	s := series{Name: c.Name, Label: columnLabel(c.Name)}
	numbers := make(decimals, len(c.Values))
	codes := make([]int, len(c.Values))
	at := map[string]int{}
	for i, word := range words {
		at[word] = i
		s.Words = append(s.Words, word)
	}
	for i, v := range c.Values {
		numbers[i], codes[i] = math.NaN(), -1
		word := ""
		switch v := v.(type) {
		case nil:
			continue
		case float64:
			numbers[i] = v
			continue
		case int64:
			numbers[i] = float64(v)
			continue
		case bool:
			word = map[bool]string{true: "yes", false: "no"}[v]
		default:
			word = fmt.Sprint(v)
		}
		if _, ok := at[word]; !ok {
			at[word] = len(s.Words)
			s.Words = append(s.Words, word)
		}
		codes[i] = at[word]
	}
	if len(s.Words) > 0 {
		s.Codes = codes
	} else {
		s.Values = numbers
	}
	return s
}

// columnLabel is a column's name in the notation of the figures.
func columnLabel(name string) string {
	if label, ok := map[string]string{
		"learning_rate": "learning rate η", "effective_learning_rate": "effective η", "batch_size": "batch size B",
		"train_loss": "training loss", "train_accuracy": "training accuracy", "test_loss": "test loss", "test_accuracy": "test accuracy",
		"trace": "trace of H", "lambda_max": "λ_{max}", "non_uniformity": "non-uniformity", "eta_mean": "η_{mean}",
		"eta_var": "η*_{var}", "eta_var_lower": "η*_{var}, lower bound", "eta_var_upper": "η*_{var}, upper bound",
		"stable_2": "mean-square stable", "left_out": "left out, because",
	}[name]; ok {
		return label
	}
	var k int
	for pattern, symbol := range map[string]string{"g_W_%d": "g_{W}", "g_x_%d": "g_{x}", "g_W1_%d": "g_{W₁}", "g_image_%d": "g_{image}"} {
		if n, err := fmt.Sscanf(name, pattern, &k); n == 1 && err == nil && name == fmt.Sprintf(pattern, k) {
			return fmt.Sprintf("%s  (order 2k = %d)", symbol, 2*k)
		}
	}
	return name
}

// derived are the quantities of the page that are no columns of results.csv.
func derived(all []solution) []quantity {
	found := []quantity{ratio(), testAccuracy(), testError(), edgeOfStability(), generalisedSharpness(), margin()}
	type order struct {
		statement string
		k         int
	}
	seen := map[order]bool{}
	for i := range all {
		s := &all[i]
		if !s.finished() || !slices.ContainsFunc(s.Result.Bounds, func(b rundir.Bound) bool { return !seen[order{b.Statement, b.K}] }) {
			continue
		}
		for _, b := range s.bounds() {
			o := order{b.Statement, b.K}
			if seen[o] {
				continue
			}
			seen[o] = true
			if b.Statement == "theorem 3" || strings.HasPrefix(b.Statement, "corollary 4") {
				found = append(found, sharpBound(b.Statement, b.K)) // of the figure of the bounds along the grid
			}
			found = append(found, ratioOfBound(b.Statement, b.K))
		}
	}
	return found
}
