package stability

import (
	"math"
	"slices"
)

// Limits of the enumeration of batches: their number, and the operations that
// the eigenproblems of all of them would take. Batches of hundreds of gradients
// are left to the bracket even where there are few of them.
const (
	enumeratedBatches    = 100_000
	enumeratedOperations = 2e11
)

// AllOrdersThreshold returns η*_∞ = 2/max_S λ_max(H_S): up to it every step contracts, so that
// SGD is stable for all orders; above it SGD is unstable for all large even
// orders.
//
// With replacement a batch can hold one sample B times, and the maximum is
// max_i ‖H_i‖, exactly. Without, batches are enumerated if there are at most 1e5
// of moderate size, and the bracket is Exact. Otherwise Lower is 2/β with the
// least of three proven bounds,
//
//	β = min(max_i ‖H_i‖, (n/B) λ_max(H), max_i (1/B)(‖K_ii‖ + the B−1 largest ‖K_ij‖₂)),
//
// and Upper is that of a batch that was searched for: the B samples of largest
// ‖J_i v‖ for a direction v, then v anew for that batch, until it stays.
//
// Epochs draws the same batches as WithoutReplacement, so that Lower holds; but no
// batch follows itself within an epoch, and with two or more batches to an epoch
// Upper is an approximation, and the bracket not Exact. lambdaMax is λ_max(H),
// which is Span.Lambda[0]/n.
func AllOrdersThreshold(g Gram, lambdaMax float64, sampling Sampling, batch int) Bracket {
	sampling.check(g.N, batch)
	if sampling == Epochs {
		b := AllOrdersThreshold(g, lambdaMax, WithoutReplacement, batch)
		if 2*batch <= g.N && lambdaMax > 0 {
			b.Exact = false
			b.Warnings = append(b.Warnings, "the batches of an epoch depend on each other: only the lower end of the all-orders threshold is proven")
		}
		return b
	}
	if lambdaMax == 0 {
		return unlimited()
	}
	if sampling != WithReplacement && batch == g.N {
		return exactThreshold(lambdaMax)
	}
	a := newBatchSharpness(g, batch)
	if sampling == WithReplacement || batch == 1 {
		return exactThreshold(a.largestNorm())
	}
	found := a.search()
	if a.enumerable() {
		return exactThreshold(a.enumerate(found))
	}
	eta := 2 / found
	// Rounding aside, β is never below what a batch has.
	return Bracket{Value: eta, Lower: min(2/a.bound(lambdaMax), eta), Upper: eta,
		Warnings: []string{"there are too many batches to look at each: the all-orders threshold is bracketed"}}
}

func exactThreshold(sharpness float64) Bracket {
	eta := 2 / sharpness
	return Bracket{Value: eta, Lower: eta, Upper: eta, Exact: true}
}

// batchSharpness finds batches of large λ_max(H_S) = λ_max(K_SS)/B.
type batchSharpness struct {
	Gram
	batch int
	// norms is n×n, ‖K_ij‖₂; left is n×c, the top left singular vectors of the J_i.
	norms, left []float64
}

func newBatchSharpness(g Gram, batch int) *batchSharpness {
	a := &batchSharpness{Gram: g, batch: batch, norms: make([]float64, g.N*g.N)}
	diagonal, left := topOfBlocks(g.N, g.C, func(i int) []float64 { return a.submatrix([]int{i}) })
	a.left = left
	for i := range g.N {
		a.norms[i*g.N+i] = diagonal[i]
		for j := range i {
			v := a.blockNorm(i, j)
			a.norms[i*g.N+j], a.norms[j*g.N+i] = v, v
		}
	}
	return a
}

// blockNorm returns ‖K_ij‖₂, the root of the largest eigenvalue of K_ij K_ijᵀ.
func (a *batchSharpness) blockNorm(i, j int) float64 {
	c, m := a.C, a.N*a.C
	if c == 1 {
		return math.Abs(a.K[i*m+j])
	}
	product := make([]float64, c*c)
	for p := range c {
		for q := range c {
			for l := range c {
				product[p*c+q] += a.K[(i*c+p)*m+j*c+l] * a.K[(i*c+q)*m+j*c+l]
			}
		}
	}
	if c == 2 {
		return math.Sqrt((product[0]+product[3])/2 + math.Hypot((product[0]-product[3])/2, product[1]))
	}
	return math.Sqrt(max(0, topEigen(make([]float64, c), product)))
}

// submatrix returns K_SS, |S|c×|S|c.
func (a *batchSharpness) submatrix(samples []int) []float64 {
	c, m := a.C, a.N*a.C
	k := make([]float64, 0, len(samples)*c*len(samples)*c)
	for _, i := range samples {
		for o := range c {
			row := a.K[(i*c+o)*m : (i*c+o+1)*m]
			for _, j := range samples {
				k = append(k, row[j*c:(j+1)*c]...)
			}
		}
	}
	return k
}

// of returns λ_max(H_S).
func (a *batchSharpness) of(samples []int) float64 {
	return topEigen(make([]float64, len(samples)*a.C), a.submatrix(samples)) / float64(len(samples))
}

// largestNorm returns max_i ‖H_i‖.
func (a *batchSharpness) largestNorm() float64 {
	largest := 0.0
	for i := range a.N {
		largest = max(largest, a.norms[i*a.N+i])
	}
	return largest
}

// bound returns β.
func (a *batchSharpness) bound(lambdaMax float64) float64 {
	rows := 0.0
	off := make([]float64, a.N)
	for i := range a.N {
		copy(off, a.norms[i*a.N:(i+1)*a.N])
		own := off[i]
		off[i] = 0
		rows = max(rows, own+sumOfLargest(off, a.batch-1))
	}
	return min(a.largestNorm(), lambdaMax*float64(a.N)/float64(a.batch), rows/float64(a.batch))
}

// sumOfLargest returns the sum of the count largest elements of v, which it sorts.
func sumOfLargest(v []float64, count int) float64 {
	slices.Sort(v)
	var sum float64
	for _, x := range v[len(v)-count:] {
		sum += x
	}
	return sum
}

func everySample(n int) []int {
	all := make([]int, n)
	for i := range all {
		all[i] = i
	}
	return all
}

func (a *batchSharpness) enumerable() bool {
	count := math.Exp(logChoose(a.N, a.batch))
	return count <= enumeratedBatches*(1+1e-9) && count*math.Pow(float64(a.batch*a.C), 3) <= enumeratedOperations
}

func logChoose(n, k int) float64 {
	top, _ := math.Lgamma(float64(n + 1))
	below, _ := math.Lgamma(float64(k + 1))
	rest, _ := math.Lgamma(float64(n - k + 1))
	return top - below - rest
}
