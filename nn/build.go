package nn

import (
	"fmt"

	"sobolev/internal/kernel"
)

// New returns a network with all parameters zero.
func New[T kernel.Float](arch Architecture) (*Network[T], error) { return newNetwork[T](arch, true) }

// newNetwork is New with blocks of convolution, ReLU and pooling as one stage each
// where fuse is set and they can be.
func newNetwork[T kernel.Float](arch Architecture, fuse bool) (*Network[T], error) {
	shapes, err := arch.shapes()
	if err != nil {
		return nil, fmt.Errorf("architecture: %w", err)
	}
	n := &Network[T]{Architecture: arch}
	fused := 0
	if fuse {
		fused = arch.fusedBlocks(shapes)
	}
	for i := range fused {
		n.markInput(3 * i)
		n.addLayer(newConvPool[T](fmt.Sprintf("net.%d", 3*i), shapes[3*i], arch.Layers[3*i].Out))
	}
	n.build("net.", arch.Layers, 3*fused, inputPlace[T](shapes[0]))
	return n, nil
}

// markInput is called before the stages of Layers[i] are added: it counts those
// that are frozen and notes where the first begins that is not.
func (n *Network[T]) markInput(i int) {
	above := len(n.layers) > n.frozen // there is one that trains
	switch l := n.Architecture.Layers[i]; {
	case above || l.parameterLayers() == 0:
	case i < n.Architecture.Frozen:
		n.frozen += l.parameterLayers()
	case n.frozen > 0:
		n.inputStage = len(n.stages)
	}
}

// build adds the stages of layers[first:], whose names begin with prefix; the
// body of a residual block is a list of layers of its own. input is the layout of
// the network's input.
func (n *Network[T]) build(prefix string, layers []Layer, first int, input place) {
	for i := first; i < len(layers); i++ {
		l, label, from := layers[i], fmt.Sprintf("%s%d", prefix, i), input
		if len(n.stages) > 0 {
			from = n.stages[len(n.stages)-1].out()
		}
		act := Identity
		if i+1 < len(layers) && layers[i+1].Kind == ActivationLayer {
			act = layers[i+1].Activation
		}
		if prefix == "net." {
			n.markInput(i)
		}
		switch l.Kind {
		case LinearLayer:
			n.addLayer(newDense[T](label, from.shape.c, l, act))
		case ConvLayer:
			n.addLayer(newConv[T](label, from, l, act))
		case BatchNormLayer:
			n.norms = append(n.norms, len(n.stages))
			n.addLayer(newBatchNorm[T](label, from, act))
		case MaxPoolLayer, AvgPoolLayer:
			n.stages = append(n.stages, newPool[T](from, l))
		case FlattenLayer:
			f := &flatten[T]{input: from}
			if from.bordered {
				f.below = n.stages[len(n.stages)-1].(*convPool[T])
			}
			n.stages = append(n.stages, f)
		case ResidualLayer:
			j := &join[T]{fork: len(n.stages), from: from, stride: l.Stride, act: act}
			n.stages = append(n.stages, &fork[T]{input: from, join: j})
			n.build(label+".body.", l.Body, 0, from)
			j.output = n.stages[len(n.stages)-1].out()
			n.stages = append(n.stages, j)
		}
	}
}

// parameterLayers counts the layers with parameters in l and its body.
func (l Layer) parameterLayers() int {
	count := 0
	for _, b := range l.Body {
		count += b.parameterLayers()
	}
	if l.Kind == LinearLayer || l.Kind == ConvLayer || l.Kind == BatchNormLayer {
		count++
	}
	return count
}

func (n *Network[T]) addLayer(l trainable[T]) {
	n.stageOf = append(n.stageOf, len(n.stages))
	n.layers = append(n.layers, l)
	n.weights = append(n.weights, weightCount(l))
	n.stages = append(n.stages, l)
}

// inputPlace is the layout of the network's input.
func inputPlace[T kernel.Float](s shape) place {
	if s.h == 0 {
		return vector[T](s.c)
	}
	return image(s, s.c)
}

// fusedBlocks returns how many blocks of convolution, ReLU and max-pooling at
// the beginning of the network become one stage each: all of an unbroken chain
// from the input to a flattening, or none, because their images have borders
// that other stages do not know.
func (a Architecture) fusedBlocks(shapes []shape) int {
	blocks := 0
	for i := 0; i+3 < len(a.Layers); i += 3 {
		c, act, pool, s := a.Layers[i], a.Layers[i+1], a.Layers[i+2], shapes[i]
		fits := c.Kind == ConvLayer && !c.NoBias && c.Kernel == 3 && c.Padding == 1 && c.Stride == 1 && c.Out%16 == 0 &&
			act.Kind == ActivationLayer && act.Activation == ReLU && pool.Kind == MaxPoolLayer && pool.Kernel == 2 &&
			s.h%2 == 0 && s.w%2 == 0
		if !fits {
			return 0
		}
		blocks++
		if a.Layers[i+3].Kind == FlattenLayer {
			return blocks
		}
	}
	return 0
}
