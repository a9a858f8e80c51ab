package report

import (
	"bytes"
	"encoding/csv"

	"sobolev/rundir"
)

// sheet is the data of a figure: a row for each thing that is drawn, values as in
// rundir.CSVCell.
type sheet struct {
	columns []string
	rows    [][]any
}

// csv is the sheet as a file.
func (s sheet) csv() []byte {
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	w.Write(s.columns)
	line := make([]string, len(s.columns))
	for _, row := range s.rows {
		for i, v := range row {
			line[i] = rundir.CSVCell(v)
		}
		w.Write(line)
	}
	w.Flush() // a bytes.Buffer takes every write
	return b.Bytes()
}

// orNothing is v, or no value where it is not finite.
func orNothing(v float64) any {
	if !finite(v) {
		return nil
	}
	return v + 0 // no −0
}

// placeColumns say which solution a row is about.
var placeColumns = []string{"point", "method", "learning_rate", "batch_size", "repetition"}

func placeCells(s *solution) []any {
	return []any{s.Name, s.Point.Method, s.Point.LearningRate, orNothing(s.batch()), int64(s.Point.Repetition)}
}

// solutionSheet has quantities of every solution that has a result, and why it does
// not count.
func (r *Report) solutionSheet(quantities ...quantity) func() sheet {
	return func() sheet {
		t := sheet{columns: append([]string{}, placeColumns...)}
		var kept []quantity
		for _, q := range quantities {
			if q.column != "learning_rate" && q.column != "batch_size" {
				kept = append(kept, q)
				t.columns = append(t.columns, q.column)
			}
		}
		t.columns = append(t.columns, "left_out")
		for i := range r.solutions {
			s := &r.solutions[i]
			if s.Result == nil {
				continue
			}
			row := placeCells(s)
			for _, q := range kept {
				row = append(row, orNothing(q.of(s)))
			}
			t.rows = append(t.rows, append(row, s.leftOut))
		}
		return t
	}
}

// curveSheet has the training losses as they are drawn.
func curveSheet(curves []curve) sheet {
	t := sheet{columns: append(append([]string{}, placeColumns...), "step", "batch_loss")}
	for _, c := range curves {
		for i := range c.steps {
			t.rows = append(t.rows, append(placeCells(c.of), c.steps[i], c.loss[i]))
		}
	}
	return t
}

// probeSheet has what probes measured in training, with 2/η.
func probeSheet(curves []curve) sheet {
	t := sheet{columns: append(append([]string{}, placeColumns...), "step", "two_over_eta", "lambda_max", "batch_sharpness", "batch_sharpness_lower", "batch_sharpness_upper")}
	for _, c := range curves {
		for _, p := range c.probes {
			t.rows = append(t.rows, append(placeCells(c.of), p.Step, 2/c.of.Point.LearningRate, orNothing(p.LambdaMax),
				orNothing(p.RatioMean), orNothing(p.RatioMeanLower), orNothing(p.RatioMeanUpper)))
		}
	}
	return t
}

// frontierSheet has the thresholds of solutions over batch sizes.
func frontierSheet(chosen []*solution) sheet {
	t := sheet{columns: append(append([]string{}, placeColumns...), "frontier_batch_size", "eta_var", "eta_var_lower", "eta_var_upper", "eta_mean")}
	for _, s := range chosen {
		for _, p := range frontier(s) {
			t.rows = append(t.rows, append(placeCells(s), p.x, p.value, orNothing(p.lower), orNothing(p.upper), orNothing(float64(s.stability().EtaMean))))
		}
	}
	return t
}

// boundSheet has the statements of one solution.
func boundSheet(bounds []rundir.Bound) sheet {
	t := sheet{columns: []string{"statement", "k", "measured", "sharp", "sharp_form", "printed", "free", "status", "log_factor"}}
	for _, b := range bounds {
		t.rows = append(t.rows, []any{b.Statement, int64(b.K), orNothing(float64(b.Measured)), orNothing(float64(b.Sharp)), b.SharpForm,
			orNothing(float64(b.Printed)), orNothing(float64(b.Free)), b.Status, b.LogFactor})
	}
	return t
}

// levelSheet has the cover's radius over the number of samples.
func levelSheet(levels []rundir.RateLevel) sheet {
	t := sheet{columns: []string{"n", "radius", "radius_lower", "radius_upper"}}
	for _, l := range levels {
		t.rows = append(t.rows, []any{int64(l.N), orNothing(float64(l.Radius)), orNothing(float64(l.CI95[0])), orNothing(float64(l.CI95[1]))})
	}
	return t
}
