package stability

import "math"

// Bracket is a number that is known to lie between two others: a threshold of
// the learning rate, or a spectral radius.
type Bracket struct {
	// Value is the best estimate, between Lower and Upper.
	Value, Lower, Upper float64
	// Exact says that Lower and Upper are proven, up to rounding, and as close
	// as the function that made the bracket promises.
	Exact bool
	// Applications counts the products with the operator that it took.
	Applications int
	// Warnings say why a value is not finite or not exact.
	Warnings []string
}

// of marks a bracket of batches that no T_k describes as not exact.
func (b Bracket) of(sampling Sampling, n, batch int) Bracket {
	b.Exact = b.Exact && (sampling != Epochs || batch == n)
	return b
}

// unlimited is the threshold of gradients that are all zero.
func unlimited() Bracket {
	inf := math.Inf(1)
	return Bracket{Value: inf, Lower: inf, Upper: inf, Exact: true, Warnings: []string{"all gradients are zero: every learning rate is stable"}}
}
