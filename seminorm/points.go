package seminorm

import "math"

// Seminorm is |f|_{q,2k} in the two conventions for several outputs, and that of
// every single output.
type Seminorm struct {
	// Joint is ((1/n) Σ_i Σ_c ‖D^q f_c(x_i)‖_{2k}^{2k})^{1/2k}, the convention of
	// the code that Ma & Ying published, and of g_x.
	Joint float64
	// Sum is Σ_c |f_c|_{q,2k}, the convention of their paper.
	Sum float64
	// PerOutput[c] is |f_c|_{q,2k}.
	PerOutput []float64
}

// AtPoints returns the seminorm of order 2k on n points: the mean over them, so
// that n copies of a point give what one gives. norms is n×c row-major and holds
// ‖D^q f_c(x_i)‖_{2k}; see Norm and HessianNorms. A norm that is not finite makes
// what contains it so.
func AtPoints(norms []float64, c, k int) Seminorm {
	n := pointsOf(norms, c, k)
	s := Seminorm{PerOutput: make([]float64, c)}
	p := float64(2 * k)
	column := make([]float64, n)
	for o := range c {
		for i := range column {
			column[i] = norms[i*c+o]
		}
		s.PerOutput[o] = meanPower(column, p)
		s.Sum += s.PerOutput[o]
	}
	s.Joint = meanPower(norms, p) * math.Pow(float64(c), 1/p)
	return s
}

func pointsOf(norms []float64, c, k int) int {
	if k < 1 {
		panic("seminorm: the order k must be at least 1")
	}
	if c < 1 || len(norms) == 0 || len(norms)%c != 0 {
		panic("seminorm: norms must be n×c with n, c ≥ 1")
	}
	return len(norms) / c
}

// HessianNorms returns the two readings of ‖D²f(x)‖_{2k} in use for a d×d input
// Hessian (row-major) of one output:
//
//	multiIndex = (Σ_{a ≤ b} H_ab^{2k})^{1/2k}   one term a multi-index |α| = 2, as in the definition;
//	fullMatrix = (Σ_{a, b} H_ab^{2k})^{1/2k}    each mixed partial derivative twice.
//
// The network must be smooth: the Hessian of a ReLU network is zero where it
// exists and says nothing. The two halves of an H that is not quite symmetric are
// averaged.
func HessianNorms(hessian []float64, d, k int) (multiIndex, fullMatrix float64) {
	if d < 1 || len(hessian) != d*d {
		panic("seminorm: a Hessian must be d×d with d ≥ 1")
	}
	upper := make([]float64, 0, d*(d+1)/2)
	off := make([]float64, 0, d*(d-1)/2)
	for a := range d {
		for b := a; b < d; b++ {
			h := hessian[a*d+b]/2 + hessian[b*d+a]/2
			upper = append(upper, h)
			if b > a {
				off = append(off, h)
			}
		}
	}
	multiIndex = Norm(upper, k)
	return multiIndex, Norm([]float64{multiIndex, Norm(off, k)}, k)
}
