package seminorm

import "math"

// Norm returns ‖v‖_{2k} = (Σ v^{2k})^{1/2k}. It is scaled by the largest element,
// so that it over- or underflows only where the result does; an element that is
// not a number makes it NaN.
func Norm(v []float64, k int) float64 {
	if k < 1 {
		panic("seminorm: the order k must be at least 1")
	}
	return powerNorm(v, float64(2*k))
}

// powerNorm returns ‖v‖_p for p ≥ 1.
func powerNorm(v []float64, p float64) float64 {
	largest := largestAbs(v)
	if !(largest > 0) || math.IsInf(largest, 1) {
		return largest
	}
	var sum float64
	for _, x := range v {
		sum += power(math.Abs(x)/largest, p)
	}
	return largest * math.Pow(sum, 1/p)
}

// largestAbs returns max |v|, NaN if there is one.
func largestAbs(v []float64) float64 {
	largest := 0.0
	for _, x := range v {
		largest = max(largest, math.Abs(x)) // the builtin max keeps NaN
	}
	return largest
}

// power returns x^p for x ≥ 0. The orders are small integers, for which repeated
// squaring is an order of magnitude faster than math.Pow.
func power(x, p float64) float64 {
	n := int(p)
	if float64(n) != p || n > 64 {
		return math.Pow(x, p)
	}
	result := 1.0
	for ; n > 0; n >>= 1 {
		if n&1 == 1 {
			result *= x
		}
		x *= x
	}
	return result
}

// meanPower returns ((1/len(v)) Σ v^p)^{1/p}.
func meanPower(v []float64, p float64) float64 {
	return powerNorm(v, p) * math.Pow(float64(len(v)), -1/p)
}
