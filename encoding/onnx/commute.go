package onnx

import "slices"

// MoveActivations returns the network with every activation behind a flatten or a
// max-pooling in front of it: the same function,
//
//	φ(max_i x_i) = max_i φ(x_i)   for a φ that does not decrease,
//
// which all are but GELU. (Where φ is constant, as ReLU is below 0, both have the
// derivative 0.) PyTorch's relu(max_pool2d(conv(x))) is of that kind. An activation
// behind an average pooling stays where it is: that is another function.
func (n *Network) MoveActivations() *Network {
	moved := *n
	moved.Layers = moveActivations(n.Layers)
	return &moved
}

func moveActivations(layers []Layer) []Layer {
	list := slices.Clone(layers)
	for i := range list {
		list[i].Body = moveActivations(list[i].Body)
		for j := i; j > 0 && list[j].Kind == Activate && list[j].commutes(list[j-1].Kind); j-- {
			list[j-1], list[j] = list[j], list[j-1]
		}
	}
	return list
}

// commutes says whether an activation may go in front of a layer.
func (l Layer) commutes(with Kind) bool {
	return with == Flatten || with == MaxPool && l.Activation != GELU
}
