package nn

import "sobolev/internal/kernel"

// Float64 returns n in float64, for measuring: the same architecture and mode, the
// parameters and running averages copied exactly. Its convolutions are stages of
// their own, since kernel.ConvPool has assembly for float32 alone: that makes
// products with derivatives up to twice as fast.
func Float64[T kernel.Float](n *Network[T]) *Network[float64] {
	to, err := newNetwork[float64](n.Architecture, false)
	if err != nil {
		panic("nn: Float64: the architecture of a network is not valid")
	}
	flat := make([]T, n.ParameterCount())
	n.CopyParameters(flat)
	to.SetParameters(widen(flat))
	var buffers [][]float64
	n.eachBuffer(func(_ string, v []T) { buffers = append(buffers, widen(v)) })
	to.eachBuffer(func(_ string, v []float64) {
		copy(v, buffers[0])
		buffers = buffers[1:]
	})
	to.UseBatchStatistics(n.batchStatistics)
	return to
}

func widen[T kernel.Float](v []T) []float64 {
	to := make([]float64, len(v))
	for i, x := range v {
		to[i] = float64(x)
	}
	return to
}
