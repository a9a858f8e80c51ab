package report

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// stabilityTable is the section on stability of the page.
type stabilityTable struct {
	Sentences []string
	Orders    []int // of the verdicts
	Rows      []stabilityRow
	More      int // further solutions, that are not in Rows
	Absent    int // solutions without that measurement
	Sampling  string
	Plain     string // where the theory does not describe the training
}

// stabilityRow is one solution; a spreadOf has its bounds below its value.
type stabilityRow struct {
	Method, LearningRate, BatchSize, Repetition string
	Sharpness, EtaMean, Margin                  string
	EtaVar, Lyapunov, RelativeLoss              spreadOf
	Verdicts                                    []string
	ResidualShare                               string
}

// stabilityTable is nil for a run without that measurement.
func (r *Report) stabilityTable() *stabilityTable {
	if !r.hasStability() {
		return nil
	}
	t := &stabilityTable{Sentences: r.stabilitySentences(), Orders: []int{2}, Plain: strings.TrimSpace(r.plainSGD())}
	for i := range r.solutions {
		if st := r.solutions[i].stability(); st != nil {
			for _, o := range st.Orders {
				t.Orders = append(t.Orders, o.K)
			}
			t.Sampling = samplingWords(r.solutions[i].Result.Convention.Sampling)
		}
	}
	slices.Sort(t.Orders)
	t.Orders = slices.Compact(t.Orders)
	for i := range r.solutions {
		switch s := &r.solutions[i]; {
		case s.stability() != nil:
			t.Rows = append(t.Rows, stabilityRowOf(s, t.Orders))
		case s.finished():
			t.Absent++
		}
	}
	return t
}

func stabilityRowOf(s *solution, orders []int) stabilityRow {
	row := stabilityRow{
		Method: s.Point.Method, LearningRate: shortest(s.Point.LearningRate), BatchSize: batchName(s.Point.BatchSize), Repetition: fmt.Sprint(s.Point.Repetition),
		Sharpness: measured(sharpness().of(s)), EtaMean: measured(float64(s.stability().EtaMean)), Margin: measured(margin().of(s)),
		EtaVar: thresholdCell(s.etaVar()), Lyapunov: lyapunovCell(s), ResidualShare: measured(s.residualShare()),
		RelativeLoss: spreadOf{Median: measured(float64(s.Result.Fit.RelativeLoss))},
	}
	if !s.interpolates() {
		row.RelativeLoss.Range = "not interpolating"
	}
	for _, k := range orders {
		row.Verdicts = append(row.Verdicts, s.stableOfOrder(k).String())
	}
	row.Verdicts = append(row.Verdicts, s.stableOfAllOrders().String())
	return row
}

// measured is a number of a result, where an infinite one is null as well.
func measured(v float64) string {
	if !finite(v) {
		return "–"
	}
	return significant(v)
}

// thresholdCell has the bounds where they are not the value.
func thresholdCell(b between) spreadOf {
	cell := spreadOf{Median: measured(b.value)}
	if low, high := measured(b.lower), measured(b.upper); low != cell.Median || high != cell.Median {
		cell.Range = "[" + low + ", " + high + "]"
	}
	return cell
}

func lyapunovCell(s *solution) spreadOf {
	l := s.lyapunov()
	if l == nil || !finite(float64(l.Value)) {
		return spreadOf{Median: "–"}
	}
	return spreadOf{significant(float64(l.Value)), "[" + measured(float64(l.CI95[0])) + ", " + measured(float64(l.CI95[1])) + "]"}
}

// residualShare is how far the Gauss–Newton matrix is from the Hessian.
func (s *solution) residualShare() float64 {
	if s.Result == nil || s.Result.Curvature == nil || s.Result.Curvature.ResidualShare == nil {
		return math.NaN()
	}
	return float64(*s.Result.Curvature.ResidualShare)
}

// samplingWords says how the batches of the thresholds are drawn.
func samplingWords(sampling string) string {
	switch sampling {
	case "without-replacement":
		return "drawn without replacement, independently of each other"
	case "with-replacement":
		return "drawn with replacement"
	case "epochs":
		return "drawn without replacement, as if independently of each other"
	}
	return "drawn " + sampling
}

// stabilitySentences are the result in words; none without that measurement.
func (r *Report) stabilitySentences() []string {
	count := map[verdict]int{}
	var margins []float64
	interpolating, others := 0, 0
	for i := range r.solutions {
		s := &r.solutions[i]
		switch {
		case s.stability() == nil:
			continue
		case !s.interpolates():
			others++
			continue
		}
		interpolating++
		count[s.stableOfOrder(2)]++
		if m := margin().of(s); finite(m) {
			margins = append(margins, m)
		}
	}
	if interpolating+others == 0 {
		return nil
	}
	if interpolating == 0 {
		return []string{fmt.Sprintf("Stability was measured of %s, and none interpolates: the thresholds are those of the Gauss–Newton matrix, which is not the Hessian there.", plural(others, "solution", "solutions"))}
	}
	text := stableWords(count, interpolating)
	if len(margins) > 0 {
		text += "; " + marginWords(margins)
	}
	sentences := []string{text + "."}
	if others > 0 {
		sentences = append(sentences, plural(others, "further solution does", "further solutions do")+" not interpolate: not counted here, since the Gauss–Newton matrix is not the Hessian there.")
	}
	return sentences
}

// stableWords counts the verdicts of order 2 among n solutions.
func stableWords(count map[verdict]int, n int) string {
	text := fmt.Sprintf("%d of %s mean-square stable at %s own η and B", count[stable], plural(n, "solution is", "solutions are"), map[bool]string{true: "its", false: "their"}[n == 1])
	for _, other := range []struct {
		v    verdict
		word string
	}{{unstable, "not"}, {undecided, "undecided"}, {unmeasured, "without a verdict"}} {
		if c := count[other.v]; c > 0 {
			text += fmt.Sprintf(", %d %s", c, other.word)
		}
	}
	return text
}

func marginWords(margins []float64) string {
	slices.Sort(margins)
	low, high := significant(margins[0]), significant(margins[len(margins)-1])
	if low == high {
		return "the margin η*_var/η is " + low
	}
	return fmt.Sprintf("the margin η*_var/η lies between %s and %s (median %s)", low, high, significant(quantile(margins, 0.5)))
}
