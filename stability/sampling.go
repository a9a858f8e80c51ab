package stability

import "fmt"

// Sampling says how SGD draws its batches of B out of n samples.
type Sampling int

const (
	// WithoutReplacement draws every batch anew, a uniform subset of B samples.
	WithoutReplacement Sampling = iota
	// WithReplacement draws every sample of every batch anew.
	WithReplacement
	// Epochs shuffles the data and cuts them into batches; these depend on each
	// other, so that no T_k describes them. Thresholds are those of
	// WithoutReplacement, an approximation; simulations are exact.
	Epochs
)

var samplingNames = [...]string{"without-replacement", "with-replacement", "epochs"}

func (s Sampling) String() string { return samplingNames[s] }

// ParseSampling is the inverse of String.
func ParseSampling(name string) (Sampling, error) {
	for s, known := range samplingNames {
		if name == known {
			return Sampling(s), nil
		}
	}
	return 0, fmt.Errorf("sampling %q is not known; one of %q", name, samplingNames)
}

// BatchVariance returns p, the factor in E_S[(mean_S X)²] − (mean X)² =
// p·Var(X) for numbers X_1 … X_n:
//
//	p = (n−B)/(B(n−1)) without replacement (0 for B = n), 1/B with it.
func (s Sampling) BatchVariance(n, batch int) float64 {
	if s == WithReplacement {
		return 1 / float64(batch)
	}
	if batch == n {
		return 0
	}
	return float64(n-batch) / (float64(batch) * float64(n-1))
}

// check panics where no batch of that size can be drawn.
func (s Sampling) check(n, batch int) {
	if batch < 1 || s != WithReplacement && batch > n {
		panic("stability: a batch size out of range")
	}
}
