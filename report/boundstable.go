package report

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"sobolev/rundir"
)

// boundsTable is the section on bounds of the page.
type boundsTable struct {
	Example     string // the solution of the table
	Informative int
	Sentences   []string
	Rows        []boundCells
	Around      *aroundTable
}

// boundCells is one bound of the example; Refusal stands in the place of its
// numbers where it has none.
type boundCells struct {
	Statement, What, K                    string
	Measured, Printed, Free, Status, Unit string
	Sharp, Ratio                          spreadOf
	Hypotheses                            []rundir.Hypothesis
	Refusal                               string
}

// boundsTable is nil for a run without bounds.
func (r *Report) boundsTable() *boundsTable {
	s, of := r.boundExample()
	if s == nil {
		return nil
	}
	t := &boundsTable{Example: exampleWords(s, of), Informative: informative, Sentences: append(boundSentences(s), r.boundCorrelations()...), Around: aroundTableOf(s)}
	bounds := s.bounds()
	ranges := r.loosenessRanges(bounds)
	for i := range bounds {
		row := boundCellsOf(&bounds[i])
		if of > 1 && row.Refusal == "" {
			row.Ratio.Range = ranges[i]
		}
		if i > 0 && bounds[i].Statement == bounds[i-1].Statement {
			row.What = "" // said in the row above
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}

func boundCellsOf(b *rundir.Bound) boundCells {
	c := boundCells{Statement: statementName(b.Statement), K: fmt.Sprint(b.K), Hypotheses: b.Hypotheses}
	if rank := statementRank(b.Statement); rank < len(statements) {
		c.What = statements[rank].what
	}
	if !inForce(b) {
		c.Refusal = refusal(b)
		return c
	}
	c.Status = applies
	if b.Status == assumed {
		c.Status = "if assumptions hold"
	}
	c.Measured, c.Printed, c.Free = measured(float64(b.Measured)), measured(float64(b.Printed)), measured(float64(b.Free))
	c.Sharp = spreadOf{Median: measured(float64(b.Sharp)), Range: b.SharpForm}
	c.Ratio.Median = measured(looseness(b, b.Sharp))
	if b.LogFactor != 0 {
		c.Unit = fmt.Sprintf("numbers times e^(%s)", significant(b.LogFactor))
	}
	return c
}

// refusal says why a bound has no number.
func refusal(b *rundir.Bound) string {
	text, culprit, verb := "undecided whether it applies", "unknown", "is open"
	switch b.Status {
	case "does-not-apply":
		text, culprit, verb = "does not apply", "no", "fails"
	case "unknown":
	default:
		return fmt.Sprintf("not shown, because its status is %q", b.Status)
	}
	var parts []string
	for _, h := range b.Hypotheses {
		if h.Holds == culprit {
			parts = append(parts, h.Name+" ("+h.Evidence+")")
		}
	}
	switch {
	case len(parts) > 0:
		return fmt.Sprintf("%s, because this %s: %s", text, verb, strings.Join(parts, "; "))
	case b.WhyNot != "":
		return text + ", because " + b.WhyNot
	}
	return text + "; no reason was recorded"
}

// loosenessRanges are those of the sharp forms of these statements over all solutions.
func (r *Report) loosenessRanges(of []rundir.Bound) []string {
	ratios := make([][]float64, len(of))
	for i := range r.solutions {
		for j := range of {
			if b := r.solutions[i].bound(of[j].Statement, of[j].K); b != nil {
				if v := looseness(b, b.Sharp); finite(v) {
					ratios[j] = append(ratios[j], v)
				}
			}
		}
	}
	ranges := make([]string, len(of))
	for j, of := range ratios {
		if len(of) >= 2 {
			ranges[j] = fmt.Sprintf("%s – %s (%d solutions)", significant(slices.Min(of)), significant(slices.Max(of)), len(of))
		}
	}
	return ranges
}

// belowMeasured is a looseness that rounding does not explain.
const belowMeasured = 1 - 1e-6

// boundSentences say which bounds of a solution are worth something.
func boundSentences(s *solution) []string {
	var useful, vacuous, violated, silent, refused, open []rundir.Bound
	for _, b := range s.bounds() {
		switch ratio := looseness(&b, b.Sharp); {
		case b.Status == "does-not-apply":
			refused = append(refused, b)
		case !inForce(&b):
			open = append(open, b)
		case ratio < belowMeasured:
			violated = append(violated, b)
		case ratio < informative:
			useful = append(useful, b)
		case ratio >= informative:
			vacuous = append(vacuous, b)
		default:
			silent = append(silent, b)
		}
	}
	var sentences []string
	if len(useful) == 0 {
		sentences = append(sentences, fmt.Sprintf("No bound is informative: none has a sharp form below %d times what was measured.", informative))
	}
	for _, group := range []struct {
		of   []rundir.Bound
		text string
	}{
		{useful, fmt.Sprintf("Informative, with a sharp form below %d times what was measured: ", informative)},
		{vacuous, fmt.Sprintf("Vacuous, with a sharp form of %d times what was measured or more: ", informative)},
		{violated, "Below what was measured, so that one of the hypotheses must be false: "},
		{silent, "In force, but with nothing measured that they could be compared with: "},
		{refused, "Do not apply: "},
		{open, "Undecided whether they apply: "},
	} {
		if len(group.of) > 0 {
			sentences = append(sentences, group.text+strings.Join(statementsOf(group.of), ", ")+".")
		}
	}
	return sentences
}

// boundCorrelations say whether the bounds of g_x follow it over the run.
func (r *Report) boundCorrelations() []string {
	var sentences []string
	for _, p := range r.boundPairs() {
		if c, ok := r.find(p.x, p.y, "Spearman"); ok && !math.IsNaN(c.Value) {
			sentences = append(sentences, sentence(c))
		}
	}
	return sentences
}
