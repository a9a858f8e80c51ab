package onnx

import "math"

// FoldBatchNorm returns the network with every batch normalisation that stands
// directly behind a linear layer or a convolution put into it,
//
//	W ← s W,   b ← s (b − mean) + β,   s = γ/√(variance + ε)  per output:
//
// the same function with other parameters. The others stay.
func (n *Network) FoldBatchNorm() *Network {
	folded := *n
	folded.Layers = foldNorms(n.Layers)
	return &folded
}

func foldNorms(layers []Layer) []Layer {
	var list []Layer
	for _, l := range layers {
		l.Body = foldNorms(l.Body)
		if last := len(list) - 1; l.Kind == BatchNorm && last >= 0 && (list[last].Kind == Linear || list[last].Kind == Conv) {
			list[last] = list[last].folded(&l)
			continue
		}
		list = append(list, l)
	}
	return list
}

func (l Layer) folded(norm *Layer) Layer {
	weight, bias := make([]float64, len(l.Weight)), make([]float64, l.Out)
	per := len(l.Weight) / l.Out
	copy(bias, l.Bias)
	for i := range bias {
		s := norm.Weight[i] / math.Sqrt(norm.Variance[i]+norm.Epsilon)
		bias[i] = s*(bias[i]-norm.Mean[i]) + norm.Bias[i]
		for j := i * per; j < (i+1)*per; j++ {
			weight[j] = s * l.Weight[j]
		}
	}
	l.Weight, l.Bias = weight, bias
	return l
}
