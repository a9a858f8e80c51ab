package bound

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// Verdict says whether a hypothesis holds.
type Verdict string

// A hypothesis is assumed when it rests on a constant that was given or found by
// a search; the zero Verdict counts as unknown.
const (
	Yes     Verdict = "yes"
	No      Verdict = "no"
	Unknown Verdict = "unknown"
	Assumed Verdict = "assumed"
)

// Condition is a verdict and what it rests on.
type Condition struct {
	Holds    Verdict
	Evidence string
}

// Constant is a number of which a condition says that it is right: that of
// Definition 1, a bound on the target, a supremum. The zero Constant is unknown.
type Constant struct {
	Value float64
	Condition
}

// Hypothesis is a named condition of a theorem.
type Hypothesis struct {
	Name     string
	Holds    Verdict
	Evidence string
}

// Status is that of a whole bound.
type Status string

// The states of a bound; IfAssumed means that it holds if the assumed hypotheses
// do. Numbers are reported in the first two alone.
const (
	Applies      Status = "applies"
	IfAssumed    Status = "assumed"
	DoesNotApply Status = "does-not-apply"
	Undecided    Status = "unknown"
)

// Bound is one statement, evaluated for one order k. Numbers that do not apply
// are NaN; a number that is given is finite.
type Bound struct {
	Statement string
	K         int
	// Measured is the left side; NaN if it was not measured.
	Measured float64
	// Printed is the right side as in the paper, and Sharp the least of all forms
	// whose hypotheses hold, Printed among them. SharpForm names it. Free is the
	// least that depends neither on the number of parameters w nor on the first
	// layer's w₁ and m.
	Printed, Sharp, Free float64
	SharpForm            string
	Status               Status
	// Hypotheses are those of the printed and of the sharp form.
	Hypotheses []Hypothesis
	// WhyNot says why no form applies.
	WhyNot string
	// Forms holds every form that applies, the printed one first.
	Forms []Form
	// LogFactor, not zero only in Theorem 4, says that every number stands for
	// itself times e^LogFactor: where the volumes are beyond float64.
	LogFactor float64
	Warnings  []string
}

// Form is one right-hand side of a statement.
type Form struct {
	Name  string
	Value float64
	// Free is set where neither w nor w₁ nor m is in it.
	Free bool
	// FromGradients is set where measured gradients take the place of what
	// stability promises for them; such a form of Theorems 4–7 is not Sharp.
	FromGradients bool
	// Holds is Yes or Assumed.
	Holds Verdict
}

// form is a right-hand side with its own hypotheses; log is that of its value.
type form struct {
	name                string
	log                 float64
	free, fromGradients bool
	needs               []Hypothesis
}

// conclude makes a Bound of a statement's forms, divided by e^factor, as measured
// is already.
func conclude(statement string, k int, measured, factor float64, printed form, others ...form) Bound {
	nan := math.NaN()
	b := Bound{
		Statement: statement, K: k, Measured: finiteOr(measured, nan), LogFactor: factor, Printed: nan, Sharp: nan, Free: nan,
		Status: Applies,
	}
	printed.name = "printed"
	others = b.refuted(&printed, others)
	holds, value, why := printed.evaluate(factor)
	if why == "" {
		b.Printed = value
		b.add(printed, holds, value)
	}
	b.Hypotheses = printed.needs
	for _, f := range others {
		if holds, value, why := f.evaluate(factor); why == "" && b.add(f, holds, value) {
			b.Hypotheses = union(printed.needs, f.needs)
		}
	}
	switch {
	case b.SharpForm == "":
		b.WhyNot, b.Status = why, Undecided
		if holds == No {
			b.Status = DoesNotApply
		}
		return b
	case why != "":
		b.Warnings = append(b.Warnings, "the printed form does not apply, because "+why)
	}
	for _, f := range b.Forms {
		if f.Holds == Assumed && (f.Name == "printed" || f.Name == b.SharpForm) {
			b.Status = IfAssumed
		}
	}
	return b
}

// refuted adds a hypothesis that fails where the measured value exceeds a form: to all
// forms, or to those that rest on an assumption if only such are exceeded. Then a
// hypothesis of theirs is false, whatever was thought of it.
func (b *Bound) refuted(printed *form, others []form) []form {
	all := append([]form{*printed}, others...)
	holds, against := make([]Verdict, len(all)), Hypothesis{}
	worst := Assumed
	for i, f := range all {
		verdict, value, why := f.evaluate(b.LogFactor)
		if why != "" || f.fromGradients {
			continue
		}
		holds[i] = verdict
		if b.Measured > value*(1+measuredTolerance) && (against.Name == "" || verdict == Yes) {
			worst = verdict
			against = Hypothesis{"measured value", No, fmt.Sprintf("%.6g exceeds the bound %.6g (%s): one of its hypotheses is false", b.Measured, value, f.name)}
		}
	}
	if against.Name == "" {
		return others
	}
	b.Warnings = append(b.Warnings, "the measured value "+against.Evidence)
	for i := range all {
		if holds[i] == Assumed || holds[i] == worst {
			all[i].needs = also(all[i].needs, against)
		}
	}
	*printed = all[0]
	return all[1:]
}

// measuredTolerance is the relative rounding allowed to a measured value that
// reaches its bound.
const measuredTolerance = 1e-9

// add takes a form that applies, and reports whether it is the sharp one so far.
func (b *Bound) add(f form, holds Verdict, value float64) (sharper bool) {
	b.Forms = append(b.Forms, Form{f.name, value, f.free, f.fromGradients, holds})
	if f.fromGradients {
		return false
	}
	// Written so that the first value replaces NaN.
	if f.free && !(b.Free <= value) {
		b.Free = value
	}
	if b.Sharp <= value {
		return false
	}
	b.Sharp, b.SharpForm = value, f.name
	return true
}

// evaluate returns the form's value, or the reason why there is none.
func (f *form) evaluate(factor float64) (holds Verdict, value float64, why string) {
	holds = Yes
	var failed, open []string
	for _, h := range f.needs {
		switch said := h.Name + ": " + h.Evidence; h.Holds {
		case Yes:
		case Assumed:
			if holds == Yes {
				holds = Assumed
			}
		case No:
			failed = append(failed, said)
		default:
			open = append(open, said)
		}
	}
	switch {
	case failed != nil:
		return No, 0, strings.Join(failed, "; ")
	case open != nil:
		return Unknown, 0, strings.Join(open, "; ")
	}
	value = math.Exp(f.log - factor)
	// An upper bound that underflows would become the false claim of a zero.
	if finite(value) && (value >= smallestNormal || math.IsInf(f.log, -1)) {
		return holds, value, ""
	}
	return No, 0, fmt.Sprintf("its logarithm is %.6g: beyond float64", f.log)
}

const smallestNormal = 0x1p-1022

// also returns needs and more, in memory of its own.
func also(needs []Hypothesis, more ...Hypothesis) []Hypothesis { return slices.Concat(needs, more) }

// union joins hypotheses by name; the first of a name stays.
func union(lists ...[]Hypothesis) []Hypothesis {
	var all []Hypothesis
	seen := map[string]bool{}
	for _, list := range lists {
		for _, h := range list {
			if !seen[h.Name] {
				seen[h.Name] = true
				all = append(all, h)
			}
		}
	}
	return all
}

func finite(v float64) bool { return math.Abs(v) <= math.MaxFloat64 }

func finiteOr(v, otherwise float64) float64 {
	if finite(v) {
		return v
	}
	return otherwise
}

// hypothesis names a condition; one that nobody examined is unknown.
func hypothesis(name string, c Condition) Hypothesis {
	switch c.Holds {
	case Yes, No, Assumed, Unknown:
	case "":
		c.Holds = Unknown
	default:
		panic("bound: a verdict must be yes, no, unknown or assumed")
	}
	if c.Holds == Unknown && c.Evidence == "" {
		c.Evidence = "not examined"
	}
	return Hypothesis{name, c.Holds, c.Evidence}
}

// constantHypothesis names a constant that must be a number of at least low.
func constantHypothesis(name, symbol string, c Constant, low float64) Hypothesis {
	switch {
	case math.IsNaN(c.Value) || c.Holds == "" || c.Holds == Unknown:
		return Hypothesis{name, Unknown, "no " + symbol + " is known"}
	case !(c.Value >= low) || !finite(c.Value):
		return Hypothesis{name, No, fmt.Sprintf("%s = %.6g", symbol, c.Value)}
	}
	h := hypothesis(name, c.Condition)
	said := fmt.Sprintf("%s = %.6g", symbol, c.Value)
	if h.Holds == Assumed {
		said = "if " + said + " is right"
	}
	if c.Evidence != "" {
		said += ", " + c.Evidence
	}
	h.Evidence = said
	return h
}

// checkOrder guards every statement.
func checkOrder(k int) {
	if k < 1 {
		panic("bound: the order k must be at least 1")
	}
}
