package kernel

// Axpy computes y += a·x, element by element. It panics if the lengths differ.
func Axpy[T Float](y []T, a T, x []T) {
	if len(x) != len(y) {
		panic("kernel: Axpy: lengths differ")
	}
	i := 0
	if simd {
		if i = wholeVectors[T](len(x)); i > 0 {
			axpyVectors(&y[0], a, &x[0], i/lanes[T]())
		}
	}
	for ; i < len(x); i++ {
		y[i] += a * x[i]
	}
}

// Scale computes x *= a, element by element.
func Scale[T Float](x []T, a T) {
	i := 0
	if simd {
		if i = wholeVectors[T](len(x)); i > 0 {
			scaleVectors(&x[0], a, i/lanes[T]())
		}
	}
	for ; i < len(x); i++ {
		x[i] *= a
	}
}

// Dot returns Σ_i x_i y_i, in T and in an order that depends on the implementation. It
// panics if the lengths differ.
func Dot[T Float](x, y []T) T {
	if len(x) != len(y) {
		panic("kernel: Dot: lengths differ")
	}
	var sum T
	i := 0
	if simd {
		if i = wholeVectors[T](len(x)); i > 0 {
			sum = dotVectors(&x[0], &y[0], i/lanes[T]())
		}
	}
	for ; i < len(x); i++ {
		sum += x[i] * y[i]
	}
	return sum
}

// EvenPowerSums adds Σ_i x_i^{2k} to dst[k−1] for k = 1 … len(dst), in float64
// whatever the type of x: x^6 of a small float32 would vanish. The order of the
// sum depends on the implementation.
func EvenPowerSums[T Float](dst []float64, x []T) {
	if n := len(x) / 8; simd && n > 0 && len(dst) <= 4 {
		var sums [4]float64
		evenPowerGroups(&sums, &x[0], n)
		for k := range dst {
			dst[k] += sums[k]
		}
		x = x[8*n:]
	}
	for _, v := range x {
		s := float64(v) * float64(v)
		p := 1.0
		for k := range dst {
			p *= s
			dst[k] += p
		}
	}
}

// lanes is the number of elements in a vector of 32 bytes.
func lanes[T Float]() int { return PanelWidth[T]() / 3 }

// wholeVectors rounds n down to whole vectors.
func wholeVectors[T Float](n int) int { return n - n%lanes[T]() }

// Gate sets x to zero where gate is not positive: the derivative of ReLU, given
// its output.
func Gate[T Float](x, gate []T) {
	if len(gate) < len(x) {
		panic("kernel: Gate: gate is shorter than x")
	}
	for i := gateVectorsOf(x, gate); i < len(x); i++ {
		if !(gate[i] > 0) {
			x[i] = 0
		}
	}
}
