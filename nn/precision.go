package nn

import "sobolev/internal/kernel"

// Float64 returns n in float64, for measuring: the same architecture and mode, the
// parameters and running averages copied exactly. Its convolutions are stages of
// their own, since kernel.ConvPool has assembly for float32 alone: that makes
// products with derivatives up to twice as fast.
func Float64[T kernel.Float](n *Network[T]) *Network[float64] { return convert[float64](n) }

// Float32 returns n in float32, with parameters and running averages rounded: for
// products with derivatives of which few digits are asked.
func Float32[T kernel.Float](n *Network[T]) *Network[float32] { return convert[float32](n) }

func convert[To, From kernel.Float](n *Network[From]) *Network[To] {
	to, err := newNetwork[To](n.Architecture, false)
	if err != nil {
		panic("nn: the architecture of a network is not valid")
	}
	flat := make([]From, n.ParameterCount())
	n.CopyParameters(flat)
	to.SetParameters(Convert[To](flat))
	var buffers [][]To
	n.eachBuffer(func(_ string, v []From) { buffers = append(buffers, Convert[To](v)) })
	to.eachBuffer(func(_ string, v []To) {
		copy(v, buffers[0])
		buffers = buffers[1:]
	})
	to.UseBatchStatistics(n.batchStatistics)
	to.Workers = n.Workers
	return to
}

// Convert returns v in another precision.
func Convert[To, From kernel.Float](v []From) []To {
	to := make([]To, len(v))
	for i, x := range v {
		to[i] = To(x)
	}
	return to
}
