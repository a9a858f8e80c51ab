package nn

// Features returns the number of elements of x, the input of the first layer that
// trains: d, or with frozen layers the number of features that they make.
func (n *Network[T]) Features() int { return n.stages[n.inputStage].in().shape.size() }

// FirstWeight describes W₁, the weight of the first layer that trains.
func (n *Network[T]) FirstWeight() Parameter {
	below := n.ParameterCount() - n.TrainableCount()
	for _, p := range n.Parameters() {
		if p.Offset == below {
			return p
		}
	}
	panic("nn: a network without a layer that trains")
}

// featureBlock is the number of samples that EachFeatures runs at once.
const featureBlock = 64

// EachFeatures calls visit with x of every sample in order, see Features: its
// elements in the order of the layer's memory, with zeros between them, which
// leave norms as they are. x is reused between calls.
func (n *Network[T]) EachFeatures(data Data[T], visit func(i int, x []T)) {
	ws, d, in := n.NewWorkspace(min(featureBlock, data.N)), n.Inputs(), n.stages[n.inputStage].in()
	for from := 0; from < data.N; from += featureBlock {
		batch := min(featureBlock, data.N-from)
		for i := range batch {
			n.SetInput(ws, i, data.X[(from+i)*d:(from+i+1)*d])
		}
		if n.inputStage > 0 {
			n.Forward(ws, batch)
		}
		for i := range batch {
			visit(from+i, ws.value[n.inputStage][i*in.value:(i+1)*in.value])
		}
	}
}

// FirstHasBias says whether the first layer that trains has a bias.
func (n *Network[T]) FirstHasBias() bool { return n.training()[0].biases() > 0 }

// FirstConvolution returns the shape of x, [channels, height, width], and the first
// layer that trains; nil where that is no convolution.
func (n *Network[T]) FirstConvolution() (input []int, conv Layer) {
	arch := n.Architecture
	for i := arch.Frozen; i < len(arch.Layers); i++ {
		if l := arch.Layers[i]; l.parameterLayers() > 0 {
			if l.Kind != ConvLayer {
				return nil, Layer{}
			}
			s := n.stages[n.inputStage].in().shape
			return []int{s.c, s.h, s.w}, l
		}
	}
	return nil, Layer{}
}
