package kernel

// FMAPeakLoop32 runs n rounds of multiply-adds on registers, without touching
// memory, and returns the number of floating-point operations in float32: the
// time that it takes is the peak of the core that other kernels compare with.
// Without assembly it does scalar multiply-adds.
func FMAPeakLoop32(n int) (flops int) {
	if simd && n > 0 {
		fmaPeak32(n)
		return n * 12 * 8 * 2
	}
	return scalarPeak[float32](n)
}

// FMAPeakLoop64 is FMAPeakLoop32 in float64.
func FMAPeakLoop64(n int) (flops int) {
	if simd && n > 0 {
		fmaPeak64(n)
		return n * 12 * 4 * 2
	}
	return scalarPeak[float64](n)
}

// peakSink keeps the compiler from removing the scalar loop.
var peakSink float64

func scalarPeak[T Float](n int) (flops int) {
	var a, b, c, d, e, f, g, h T
	x, y := T(peakSink), T(0.5)
	for range n {
		a, b, c, d = a*y+x, b*y+x, c*y+x, d*y+x
		e, f, g, h = e*y+x, f*y+x, g*y+x, h*y+x
	}
	if s := a + b + c + d + e + f + g + h; s != s {
		peakSink = 1
	}
	return n * 8 * 2
}
