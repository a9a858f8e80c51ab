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
