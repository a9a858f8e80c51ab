package seminorm

import (
	"math"
	"slices"
)

// mostMultiplications is about what the two iterations of one order may take each: some
// seconds. Of a matrix of more than a million elements they see fewer starts and steps,
// and the bracket is wider.
const mostMultiplications = 4e9

// affordable is the number of steps, of two products each, that mostMultiplications buys.
func affordable(a Operator) int {
	return max(1, int(mostMultiplications/(2*float64(a.Multiplications()))))
}

// The power method runs every start for a few steps and finishes the best few.
const (
	screeningSteps = 8
	finalists      = 4
	finalSteps     = 300
	powerTolerance = 1e-9
)

// trial is a vector on its way, and the largest ‖Ax‖_p/‖x‖_p it has reached.
type trial struct {
	x     []float64
	ratio float64
}

// powerMethod returns the largest ‖Ax‖_p/‖x‖_p found: the iteration of Boyd
// (1974), "The power method for l^p norms", whose steps never lower it:
//
//	y = Ax,  z = Aᵀ(|y|^{p−1} sgn y),  x ← |z|^{1/(p−1)} sgn z.
func powerMethod(a Operator, p float64, starts [][]float64) float64 {
	rows, cols := a.Dims()
	y, z := make([]float64, rows), make([]float64, cols)
	half := affordable(a) / 2 // one for the screening, one for the finalists
	starts = starts[:min(len(starts), max(1, half/screeningSteps))]
	trials := make([]trial, len(starts))
	for s, x := range starts {
		trials[s] = trial{x: x}
		trials[s].run(a, p, y, z, screeningSteps)
	}
	slices.SortStableFunc(trials, func(s, t trial) int {
		switch {
		case s.ratio > t.ratio:
			return -1
		case s.ratio < t.ratio:
			return 1
		}
		return 0
	})
	best := 0.0
	for _, t := range trials[:min(finalists, len(trials))] {
		t.run(a, p, y, z, min(finalSteps, half/finalists))
		best = max(best, t.ratio)
	}
	return best
}

func (t *trial) run(a Operator, p float64, y, z []float64, steps int) {
	for range steps {
		size := powerNorm(t.x, p)
		if !(size > 0) || math.IsInf(size, 1) {
			return
		}
		for j := range t.x {
			t.x[j] /= size
		}
		a.Mul(y, t.x)
		before := t.ratio
		if ratio := powerNorm(y, p); ratio > before {
			t.ratio = ratio
		}
		if t.ratio <= before*(1+powerTolerance) {
			return
		}
		signedPower(y, p)
		a.MulTrans(z, y)
		copy(t.x, z)
		dualVector(t.x, p)
	}
}

// signedPower sets y to |y|^{p−1} sgn y, scaled to largest element 1 before.
func signedPower(y []float64, p float64) {
	largest := largestAbs(y)
	if !(largest > 0) {
		return
	}
	for i, v := range y {
		y[i] = math.Copysign(power(math.Abs(v)/largest, p-1), v)
	}
}

// dualVector sets z to |z|^{1/(p−1)} sgn z, scaled to largest element 1: among
// the x with ‖x‖_p fixed it maximises zᵀx.
func dualVector(z []float64, p float64) {
	largest := largestAbs(z)
	if !(largest > 0) {
		return
	}
	for i, v := range z {
		r := math.Abs(v) / largest
		if p != 2 {
			r = math.Pow(r, 1/(p-1))
		}
		z[i] = math.Copysign(r, v)
	}
}

// The certificate of ‖|A|‖_p: steps, the relative progress that is worth another
// step, and the floors that keep x and powers of |A|x away from zero.
const (
	absoluteSteps     = 200
	absoluteTolerance = 1e-9
	vectorFloor       = 1e-12
	powerFloor        = 1e-150
)

// absoluteNorm returns an upper value of ‖A‖_p for a matrix without negative
// entries, and the positive vector that certifies it. In terms of the next vector
// x⁺_j = (Aᵀ(Ax)^{p−1})_j^{1/(p−1)} of the power method it is
// (max_j x⁺_j/x_j)^{(p−1)/p} for any x > 0, so that the iteration may stop
// anywhere; a column of zeros has x⁺_j = 0.
func absoluteNorm(a Operator, p float64) (upper float64, x []float64) {
	rows, cols := a.Dims()
	y, next := make([]float64, rows), make([]float64, cols)
	x = ones(cols)
	best := math.Inf(1)
	for range min(absoluteSteps, affordable(a)) {
		a.Mul(y, x)
		scale := largestAbs(y)
		if scale == 0 {
			return 0, x
		}
		for i, v := range y {
			if v > 0 {
				// Rounded up, the certificate stays one.
				y[i] = max(power(v/scale, p-1), powerFloor)
			}
		}
		a.MulTrans(next, y)
		ratio := 0.0
		for j, v := range next {
			next[j] = scale * math.Pow(v, 1/(p-1))
			ratio = max(ratio, next[j]/x[j])
		}
		value := math.Pow(ratio, 1-1/p)
		if math.IsNaN(value) || !(value < best*(1-absoluteTolerance)) {
			return min(best, value), x
		}
		best = value
		largest := largestAbs(next)
		for j, v := range next {
			x[j] = max(v/largest, vectorFloor)
		}
	}
	return best, x
}
