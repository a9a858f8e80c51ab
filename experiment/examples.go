package experiment

import (
	"cmp"
	"math"
	"slices"

	"sobolev/attack"
	"sobolev/nn"
	"sobolev/rundir"
)

// exampleCount is the number of attacked images that a result shows.
const exampleCount = 3

// attacked is a sample and the point that an attack moved it to.
type attacked struct {
	set           string
	sample        int
	radius        float64
	before, after []float64
}

// examples shows attacked images: first of those whose class turned, then of those
// whose outputs changed most.
func (a *around) examples(gradients *nn.InputGradients[float64], turned []attacked, change *attack.OutputChange[float64]) {
	if len(a.shape) != 3 || a.shape[0] != 1 && a.shape[0] != 3 {
		return
	}
	var found []rundir.AttackExample
	lo, hi := a.displayed()
	for _, p := range turned {
		// What was wrong before the attack is no example of one.
		if e := a.example(gradients, p, a.setOf(p.set), lo, hi); *e.Before == *e.Label {
			found = append(found, e)
		}
	}
	slices.SortStableFunc(found, func(p, q rundir.AttackExample) int {
		return cmp.Or(cmp.Compare(p.Radius, q.Radius), cmp.Compare(q.Change, p.Change))
	})
	found = found[:min(exampleCount, len(found))]
	most, d := make([]int, len(a.attacked)), a.net.Inputs()
	for j := range most {
		most[j] = j
	}
	slices.SortStableFunc(most, func(p, q int) int { return cmp.Compare(change.Largest[q], change.Largest[p]) })
	for _, j := range most[:min(exampleCount-len(found), len(most))] {
		p := attacked{trainingSet, a.attacked[j], a.radius, a.attackedX[j*d : (j+1)*d], change.Point[j*d : (j+1)*d]}
		found = append(found, a.example(gradients, p, a.data, lo, hi))
	}
	a.Robustness.Examples = found
}

const (
	trainingSet = "training"
	testSet     = "test"
)

func (a *around) setOf(name string) nn.Data[float64] {
	if name == testSet {
		return a.test
	}
	return a.data
}

func (a *around) example(gradients *nn.InputGradients[float64], p attacked, data nn.Data[float64], lo, hi float64) rundir.AttackExample {
	c := a.net.Outputs()
	before, after := make([]float64, c), make([]float64, c)
	gradients.Outputs(before, p.before)
	gradients.Outputs(after, p.after)
	e := rundir.AttackExample{Set: p.set, Sample: p.sample, Radius: rundir.Number(p.radius), Norm: attack.L2.String(), Shape: a.shape}
	for o := range c {
		e.Change = max(e.Change, rundir.Number(math.Abs(after[o]-before[o])))
	}
	if data.Classification && c > 1 {
		e.Label, e.Before, e.After = new(int), new(int), new(int)
		*e.Label, *e.Before, *e.After = classOf(data.Y[p.sample*c:(p.sample+1)*c], -1), classOf(before, -1), classOf(after, -1)
	}
	shown, moved := a.display(p.before, lo, hi), a.display(p.after, lo, hi)
	largest := 0.0
	for j := range moved {
		moved[j] -= shown[j]
		largest = math.Max(largest, math.Abs(moved[j]))
	}
	const steps = 127
	e.DifferenceScale = rundir.Number(largest / steps)
	for j, v := range shown {
		e.Original = append(e.Original, byte(math.Round(255*min(max(v, 0), 1))))
		step := 0.0
		if largest > 0 {
			step = math.Round(steps * moved[j] / largest)
		}
		e.Difference = append(e.Difference, byte(128+step))
	}
	return e
}

// displayed returns the raw values that are shown black and white: those of bytes,
// or the range of the training data.
func (a *around) displayed() (lo, hi float64) {
	if a.preprocessing.OfBytes() {
		return 0, 255
	}
	lo, hi = math.Inf(1), math.Inf(-1)
	size := a.shape[1] * a.shape[2]
	for j, v := range a.data.X {
		raw := a.preprocessing.Raw(v, j/size%a.shape[0])
		lo, hi = math.Min(lo, raw), math.Max(hi, raw)
	}
	return lo, hi
}

// display maps an image to 0 … 1 where lo … hi are shown.
func (a *around) display(x []float64, lo, hi float64) []float64 {
	size, shown := a.shape[1]*a.shape[2], make([]float64, len(x))
	for j, v := range x {
		if hi > lo {
			shown[j] = (a.preprocessing.Raw(v, j/size) - lo) / (hi - lo)
		}
	}
	return shown
}
