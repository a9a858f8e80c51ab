package experiment

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"text/tabwriter"

	"sobolev/rundir"
	"sobolev/stability"
)

// Summary describes the result of an audit with these options to a person: what
// was audited, the verdict, and tables.
func (o AuditOptions) Summary(r *rundir.Result) string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	for _, f := range o.Facts(r) {
		fmt.Fprintf(w, "%s\t%s\n", f[0], f[1])
	}
	w.Flush()
	fmt.Fprintf(&b, "\n%s\n\n", o.Verdict(r))
	o.writeOrders(&b, r)
	if u := r.Curvature; u != nil {
		fmt.Fprintf(&b, "\ntrace %s", number(u.Trace))
		for _, v := range []struct {
			name  string
			value *rundir.Number
		}{{"largest eigenvalue", u.LambdaMax}, {"non-uniformity", u.NonUniformity}, {"residual share", u.ResidualShare}} {
			if v.value != nil {
				fmt.Fprintf(&b, ", %s %s", v.name, number(*v.value))
			}
		}
		b.WriteString("\n")
	}
	writeBounds(&b, r)
	if len(r.Warnings) > 0 {
		b.WriteString("\nwarnings:\n")
		for _, t := range r.Warnings {
			fmt.Fprintf(&b, "  %s\n", t)
		}
	}
	return b.String()
}

// Facts says what was audited, on what and how, in pairs of a name and its text.
func (o AuditOptions) Facts(r *rundir.Result) [][2]string {
	c, m := r.Convention, r.Model
	interpolates := "interpolates"
	if !r.Fit.Interpolates {
		interpolates = "does not interpolate"
	}
	if r.Fit.Accuracy != nil {
		interpolates += ", accuracy " + number(*r.Fit.Accuracy)
	}
	return [][2]string{
		{"model", fmt.Sprintf("%s: %d parameters, %d inputs, %d outputs; first layer %s %d×%d", o.Model, m.Parameters, m.Inputs, m.Outputs, m.FirstLayer.Kind, m.FirstLayer.Rows, m.FirstLayer.Cols)},
		{"data", fmt.Sprintf("%s: %d samples, inputs as %s", o.Data, r.Data.Samples, c.Preprocessing)},
		{"SGD", fmt.Sprintf("η = %s of %s, B = %d, %s", short(o.LearningRate), c.Loss, o.BatchSize, c.Sampling)},
		{"fit", fmt.Sprintf("loss %s, relative loss %s: %s", number(r.Fit.Loss), number(r.Fit.RelativeLoss), interpolates)},
	}
}

// Verdict says in one sentence whether SGD stays at the solution in mean square,
// with the margin, and what its typical path does.
func (o AuditOptions) Verdict(r *rundir.Result) string {
	if r.Stability == nil {
		return "stability is not decided; see the warnings"
	}
	text, at := fmt.Sprintf("for B = %d", o.BatchSize), slices.IndexFunc(r.Stability.Orders, func(o rundir.Order) bool { return o.K == 2 })
	if r.Data.Available > 0 {
		text += fmt.Sprintf(" on %d of %d samples", r.Data.Samples, r.Data.Available)
	}
	if r.Convention.Sampling == stability.Epochs.String() && o.BatchSize < r.Data.Samples {
		text += ", for independent batches in place of an epoch's,"
	}
	if !r.Fit.Interpolates {
		text += ", linearised at a point that does not interpolate,"
	}
	if at < 0 {
		return "stability in mean square is not decided " + text
	}
	order := r.Stability.Orders[at]
	threshold := short(float64(r.Stability.EtaVar.Value))
	if !r.Stability.EtaVar.Exact && number(order.EtaLower) != number(order.EtaUpper) {
		threshold = fmt.Sprintf("a learning rate between %s and %s", number(order.EtaLower), number(order.EtaUpper))
	} else {
		threshold = "η = " + threshold
	}
	text = fmt.Sprintf("stable in mean square %s up to %s; you trained at %s: ", text, threshold, short(o.LearningRate))
	switch {
	case order.Stable == nil:
		return text + "whether SGD stays here is not decided" + o.path(r, "")
	case *order.Stable:
		return text + fmt.Sprintf("SGD stays here, with a margin of %s", number(*order.Margin))
	}
	return text + fmt.Sprintf("in mean square SGD leaves this point (threshold/η = %s)", number(*order.Margin)) + o.path(r, ": rare large excursions carry the mean")
}

// path says what the Lyapunov exponent at the learning rate says of the typical
// path; returns is added where it returns.
func (o AuditOptions) path(r *rundir.Result, returns string) string {
	for _, l := range r.Stability.Lyapunov {
		if float64(l.LearningRate) != o.LearningRate {
			continue
		}
		exponent := fmt.Sprintf(" (Lyapunov exponent %+.3g ± %.1g)", float64(l.Value), float64(l.SE))
		switch {
		case l.CI95[0] > 0:
			return "; its typical path leaves too" + exponent
		case l.CI95[1] < 0:
			return "; its typical path returns" + exponent + returns
		case !math.IsNaN(float64(l.Value)):
			return "; whether its typical path returns is not decided" + exponent
		}
	}
	return ""
}

func (o AuditOptions) writeOrders(b *strings.Builder, r *rundir.Result) {
	w := tabwriter.NewWriter(b, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "k\tg_W\tg_x\tg_W1\tg_delta\tstable up to η\tat η = %s\n", short(o.LearningRate))
	for k := 1; k <= rundir.MaxOrder; k++ {
		moments, threshold, verdict := "–\t–\t–\t–", "–", "–"
		known := false
		for _, m := range r.Moments {
			if m.K == k {
				known, moments = true, strings.Join([]string{number(m.GW), number(m.GX), number(m.GW1), number(m.GDelta)}, "\t")
			}
		}
		if r.Stability != nil {
			for _, s := range r.Stability.Orders {
				if s.K == k && (known || k <= 2) {
					known, threshold, verdict = true, bracketText(s), verdictText(s)
				}
			}
		}
		if known {
			fmt.Fprintf(w, "%d\t%s\t%s\t%s\n", k, moments, threshold, verdict)
		}
	}
	w.Flush()
}

func bracketText(o rundir.Order) string {
	lower, upper := number(o.EtaLower), number(o.EtaUpper)
	if lower == upper {
		return lower
	}
	return lower + " … " + upper
}

func verdictText(o rundir.Order) string {
	switch {
	case o.Stable == nil:
		return "not decided"
	case *o.Stable:
		return "stable, margin " + number(*o.Margin)
	}
	return "unstable, margin " + number(*o.Margin)
}

// writeBounds lists the bounds that apply, with their ratios to what they bound.
func writeBounds(b *strings.Builder, r *rundir.Result) {
	applying := slices.DeleteFunc(slices.Clone(r.Bounds), func(x rundir.Bound) bool { return !x.Applies })
	if len(r.Bounds) == 0 {
		return
	}
	fmt.Fprintf(b, "\n%d of %d bounds apply; why the others do not is in the JSON\n", len(applying), len(r.Bounds))
	if len(applying) == 0 {
		return
	}
	w := tabwriter.NewWriter(b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "bound\tk\tmeasured\tsharp\tratio\tprinted\tratio\t")
	for _, x := range applying {
		status := ""
		if x.Status == "assumed" {
			status = "if what was assumed is right"
		}
		if x.LogFactor != 0 {
			status = fmt.Sprintf("times e^%.4g; %s", x.LogFactor, status)
		}
		fmt.Fprintf(w, "%s\t%d\t%s\t%s\t%s\t%s\t%s\t%s\n", x.Statement, x.K, number(x.Measured), number(x.Sharp), number(x.Sharp/x.Measured), number(x.Printed), number(x.Printed/x.Measured), status)
	}
	w.Flush()
}

func number(v rundir.Number) string { return short(float64(v)) }

// short is v to four digits, and a dash where it is not known.
func short(v float64) string {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return "–"
	}
	return fmt.Sprintf("%.4g", v)
}
