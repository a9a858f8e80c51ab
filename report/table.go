package report

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"sobolev/rundir"
)

// spreadOf is a quantity over the repetitions of a cell.
type spreadOf struct{ Median, Range string }

// row is one grid cell of the table.
type row struct {
	Method, LearningRate, Effective, BatchSize, Counted   string
	Steps, TrainLoss, TrainAccuracy, TestAccuracy, GW, GX spreadOf
}

// rows summarises the trainings of each cell that finished, whether they
// interpolate or not: the table says what happened, the correlations what
// follows.
func (r *Report) rows() []row {
	of := make([][]*solution, len(r.cells))
	for i := range r.solutions {
		s := &r.solutions[i]
		of[s.cell] = append(of[s.cell], s)
	}
	k := 1
	if len(r.orders) > 0 {
		k = r.orders[0]
	}
	rows := make([]row, len(r.cells))
	for i, c := range r.cells {
		counted := 0
		var finished []*solution
		for _, s := range of[i] {
			if s.counts() {
				counted++
			}
			if s.finished() {
				finished = append(finished, s)
			}
		}
		training := func(f func(*rundir.Training) float64, format func(float64) string) spreadOf {
			return summarise(finished, func(s *solution) float64 { return f(s.Result.Training) }, format)
		}
		rows[i] = row{
			Method: c.method, LearningRate: shortest(c.learningRate), Effective: significant(r.effective * c.learningRate),
			BatchSize: batchName(c.batchSize), Counted: fmt.Sprintf("%d / %d", counted, len(of[i])),
			Steps:         training(func(t *rundir.Training) float64 { return float64(t.Steps) }, shortestInteger),
			TrainLoss:     training(func(t *rundir.Training) float64 { return float64(t.TrainLoss) }, significant),
			TrainAccuracy: training(func(t *rundir.Training) float64 { return float64(t.TrainAccuracy) }, percent),
			TestAccuracy:  training(func(t *rundir.Training) float64 { return float64(t.TestAccuracy) }, percent),
			GW:            summarise(finished, gW(k).of, significant), GX: summarise(finished, gX(k).of, significant),
		}
	}
	return rows
}

func shortestInteger(v float64) string {
	if math.IsNaN(v) {
		return "–"
	}
	return fmt.Sprintf("%.0f", v)
}

func summarise(ss []*solution, f func(*solution) float64, format func(float64) string) spreadOf {
	var values []float64
	for _, s := range ss {
		if v := f(s); !math.IsNaN(v) {
			values = append(values, v)
		}
	}
	if len(values) == 0 {
		return spreadOf{Median: "–"}
	}
	slices.Sort(values)
	s := spreadOf{Median: format(quantile(values, 0.5))}
	low, high := format(values[0]), format(values[len(values)-1])
	if low != high {
		s.Range = low + " – " + high
	}
	return s
}

// fact is a line of "what was run".
type fact struct{ Name, Value string }

func (r *Report) facts() []fact {
	c := r.Config
	data := c.Dataset.Name
	if len(c.Dataset.Classes) > 0 {
		data += ", classes " + list(c.Dataset.Classes)
	}
	if c.Dataset.PerClass > 0 {
		data += fmt.Sprintf(", %s of each class (%s)", plural(c.Dataset.PerClass, "sample", "samples"), map[string]string{"seed": "random subset by the seed", "first": "the first in file order"}[c.Dataset.Draw])
	}
	preprocessing := "x·scale with scale " + orWord(c.Dataset.Preprocess.Scale, "of the data set")
	if mean, std := c.Dataset.Preprocess.Mean, c.Dataset.Preprocess.Std; len(mean)+len(std) > 0 {
		preprocessing += fmt.Sprintf(", then less mean [%s] and over std [%s]", cmp.Or(list(mean), "0"), cmp.Or(list(std), "1"))
	}
	widths := list(c.Model.Hidden)
	model := fmt.Sprintf("%s, hidden layers %s, %s, initialisation %s", c.Model.Kind, widths, c.Model.Activation, c.Model.Init)
	if c.Model.Kind == "layers" {
		var layers []string
		for _, l := range c.Model.Layers {
			layers = append(layers, l.String())
		}
		model = fmt.Sprintf("%s; initialisation %s", strings.Join(layers, ", "), c.Model.Init)
	}
	if r.info != nil {
		if n := r.info.Data.Samples; n > 0 {
			data += "; n = " + plural(n, "training sample", "training samples")
		}
		if p := r.info.Convention.Preprocessing; p != "" {
			preprocessing = p
		}
		if m := r.info.Model; m.Parameters > 0 {
			model += "; " + sizeWords(m)
		}
	}
	facts := []fact{
		{"Data set", data}, {"Preprocessing", preprocessing}, {"Model", model},
		{"Loss", lossWords(c.Loss)},
		{"Training", fmt.Sprintf("%s of %s, sampling %s, momentum %s", strings.Join(c.Grid.Method, ", "), plural(c.SGD.Iterations, "iteration", "iterations"), c.SGD.Sampling, shortest(c.SGD.Momentum)) + strengths(c.SGD)},
		{"Stopping", stopWords(c.Stop)},
		{"Learning rates η", list(c.Grid.LearningRate)}, {"Batch sizes B", list(c.Grid.BatchSize)},
		{"Repetitions", fmt.Sprint(c.Repetitions)}, {"Seed", fmt.Sprint(c.Seed)}, {"Orders k", list(c.Measure.Orders)},
	}
	return facts
}

func sizeWords(m rundir.ModelInfo) string {
	return fmt.Sprintf("d = %s, c = %s, w = %s", plural(m.Inputs, "input", "inputs"), plural(m.Outputs, "output", "outputs"), plural(m.Parameters, "parameter", "parameters"))
}

func orWord(v float64, word string) string {
	if v == 0 {
		return word
	}
	return shortest(v)
}

func lossWords(loss string) string {
	switch loss {
	case "mse":
		return "mse: the squared error, mean over batch and outputs"
	case "half-mse":
		return "half-mse: (1/2B) Σ over batch and outputs of the squared error"
	}
	return loss
}

func stopWords(s rundir.Stop) string {
	var parts []string
	if s.Loss > 0 {
		parts = append(parts, "when the training loss is at most "+shortest(s.Loss))
	}
	if s.Accuracy > 0 {
		parts = append(parts, "when the training accuracy is at least "+shortest(s.Accuracy))
	}
	if len(parts) == 0 {
		return "after the last iteration"
	}
	return strings.Join(parts, ", or ") + ", at the latest after the last iteration"
}

// batchName is the batch size of a cell; 0 stands for the whole training set.
func batchName(b int) string {
	if b == 0 {
		return "all"
	}
	return fmt.Sprint(b)
}

// strengths names what the methods of the grid add to plain SGD.
func strengths(s rundir.SGD) string {
	text := ""
	if s.Nesterov {
		text += " (Nesterov)"
	}
	for _, v := range []struct {
		name  string
		value float64
	}{
		{"weight decay", s.WeightDecay}, {"SAM radius ρ", s.SAMRadius},
		{"input penalty λ", s.InputPenalty}, {"label noise σ", s.LabelNoise},
	} {
		if v.value != 0 {
			text += fmt.Sprintf(", %s %s", v.name, shortest(v.value))
		}
	}
	return text
}
