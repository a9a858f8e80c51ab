package report

import (
	"fmt"
	"strings"
)

// headline is the result in words: one sentence for each pair of the lowest
// order, by Spearman's correlation, which asks only for monotony.
func (r *Report) headline() []string {
	if len(r.orders) == 0 {
		return nil
	}
	k := r.orders[0]
	pairs := [][2]quantity{
		{learningRate(), gW(k)}, {learningRate(), gX(k)}, {batchSize(), gW(k)}, {batchSize(), gX(k)}, {gW(k), gX(k)}, {gX(k), testAccuracy()},
	}
	var sentences []string
	for _, p := range pairs {
		if c, ok := r.find(p[0], p[1], "Spearman"); ok {
			sentences = append(sentences, sentence(c))
		}
	}
	return sentences
}

// sentence says what the interval allows to say and compares it with theory.
func sentence(c Correlation) string {
	if !c.HasInterval() {
		return fmt.Sprintf("%s and %s: %s.", c.X, c.Y, c)
	}
	verdict, sign := fmt.Sprintf("No clear relation between %s and %s", c.X, c.Y), 0
	switch {
	case c.Lower > 0:
		verdict, sign = fmt.Sprintf("Larger %s goes with larger %s", c.X, c.Y), +1
	case c.Upper < 0:
		verdict, sign = fmt.Sprintf("Larger %s goes with smaller %s", c.X, c.Y), -1
	}
	against := ""
	switch {
	case c.Expected == 0:
	case sign == c.Expected:
		against = ", as predicted"
	case sign == 0:
		against = fmt.Sprintf(", where a %s one is predicted", signWord(c.Expected))
	default:
		against = fmt.Sprintf(", against the prediction of a %s relation", signWord(c.Expected))
	}
	doubt := ""
	if c.Reason != "" {
		doubt = " (" + c.Reason + ")"
	}
	return fmt.Sprintf("%s%s: %s, %s%s.", verdict, against, c, plural(c.N, "solution", "solutions"), doubt)
}

func signWord(sign int) string {
	switch {
	case sign > 0:
		return "positive"
	case sign < 0:
		return "negative"
	}
	return "–"
}

// Summary is the result in a few lines of plain text.
func (r *Report) Summary() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s, %d in the correlations", r.Config.Name, plural(r.Total, "point", "points"), r.Counted)
	if left := r.Total - r.Counted; left > 0 {
		reasons := make([]string, len(r.LeftOut))
		for i, l := range r.LeftOut {
			reasons[i] = fmt.Sprintf("%d %s", len(l.Points), l.Text)
		}
		fmt.Fprintf(&b, ", %d left out (%s)", left, strings.Join(reasons, "; "))
	}
	b.WriteString("\n")
	for _, s := range append(r.headline(), r.stabilitySentences()...) {
		b.WriteString("  " + s + "\n")
	}
	if warned := len(r.Warnings); warned > 0 {
		fmt.Fprintf(&b, "  %s in the results; the report lists them\n", plural(warned, "kind of warning", "kinds of warnings"))
	}
	return b.String()
}
