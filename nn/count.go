package nn

// ParameterCount returns w, in float64 since an absurd architecture exceeds any
// integer, or the error of New. It allocates nothing of that size.
func (a Architecture) ParameterCount() (float64, error) {
	shapes, err := a.shapes()
	if err != nil {
		return 0, err
	}
	return countParameters(a.Layers, shapes), nil
}

// countParameters counts those of layers with the shapes before each.
func countParameters(layers []Layer, shapes []shape) float64 {
	w := 0.0
	for i, l := range layers {
		in, out, bias := float64(shapes[i].c), float64(l.Out), 1.0
		if l.NoBias {
			bias = 0
		}
		switch l.Kind {
		case LinearLayer:
			w += out * (in + bias)
		case ConvLayer:
			w += out * (in*float64(l.Kernel)*float64(l.Kernel) + bias)
		case BatchNormLayer:
			w += 2 * in
		case ResidualLayer:
			// That the body fits is known: a.shapes went through it.
			if inner, err := layerShapes(l.Body, shapes[i]); err == nil {
				w += countParameters(l.Body, inner)
			}
		}
	}
	return w
}

// SampleValues returns about the number of values that a pass over one sample
// holds, in float64 as ParameterCount does: the outputs of all layers and their
// gradients, and the patches of convolutions. It allocates nothing of that size.
func (a Architecture) SampleValues() (float64, error) {
	shapes, err := a.shapes()
	if err != nil {
		return 0, err
	}
	return countValues(a.Layers, shapes), nil
}

func countValues(layers []Layer, shapes []shape) float64 {
	size := func(s shape) float64 { return float64(s.c) * max(1, float64(s.h)*float64(s.w)) }
	n := 2 * size(shapes[0])
	for i, l := range layers {
		in, out := shapes[i], shapes[i+1]
		n += 2 * size(out)
		switch l.Kind {
		case ConvLayer:
			n += 2 * float64(out.h) * float64(out.w) * float64(in.c) * float64(l.Kernel) * float64(l.Kernel)
		case ResidualLayer:
			if inner, err := layerShapes(l.Body, in); err == nil {
				n += countValues(l.Body, inner)
			}
		}
	}
	return n
}
