package nn

import "fmt"

// Architecture is a list of layers on inputs of a given shape: [d], or
// [channels, height, width] for images. The position of a layer in the list is
// the number in its parameters' names, as in PyTorch's Sequential: "net.0.weight"
// belongs to Layers[0].
type Architecture struct {
	Input  []int
	Layers []Layer
}

// Layer is one entry of an architecture. Kind says which fields count.
type Layer struct {
	Kind Kind
	// Out is the number of outputs of a linear layer, or of channels of a
	// convolution.
	Out int
	// Kernel, Stride and Padding belong to convolutions; Kernel is also the
	// window of a pooling, whose windows lie side by side.
	Kernel, Stride, Padding int
	Activation              Activation
}

// Kind is a kind of layer.
type Kind int

// A linear layer takes vectors, a convolution and the poolings take images, and
// Flatten makes the vector [channels][height][width] of an image.
const (
	LinearLayer Kind = iota
	ConvLayer
	ActivationLayer
	MaxPoolLayer
	AvgPoolLayer
	FlattenLayer
)

var kindNames = []string{"linear", "conv", "activation", "maxpool", "avgpool", "flatten"}

func (k Kind) String() string { return kindNames[k] }

// Linear returns a dense layer, Conv a convolution with a square kernel.
func Linear(out int) Layer { return Layer{Kind: LinearLayer, Out: out} }

// Conv returns a convolution with a square kernel.
func Conv(out, kernel, stride, padding int) Layer {
	return Layer{Kind: ConvLayer, Out: out, Kernel: kernel, Stride: stride, Padding: padding}
}

// Activate returns an activation, applied to every unit.
func Activate(a Activation) Layer { return Layer{Kind: ActivationLayer, Activation: a} }

// MaxPool returns a max-pooling over size×size windows, AvgPool an average.
func MaxPool(size int) Layer { return Layer{Kind: MaxPoolLayer, Kernel: size} }

// AvgPool returns an average-pooling over size×size windows.
func AvgPool(size int) Layer { return Layer{Kind: AvgPoolLayer, Kernel: size} }

// Flatten returns the layer that makes vectors of images.
func Flatten() Layer { return Layer{Kind: FlattenLayer} }

// FNN returns the architecture inputs–hidden…–outputs with the activation after
// every layer but the last.
func FNN(inputs int, hidden []int, outputs int, a Activation) Architecture {
	arch := Architecture{Input: []int{inputs}}
	for _, m := range hidden {
		arch.Layers = append(arch.Layers, Linear(m), Activate(a))
	}
	arch.Layers = append(arch.Layers, Linear(outputs))
	return arch
}

// Inputs returns d, the number of elements of one input.
func (a Architecture) Inputs() int {
	d := 1
	for _, s := range a.Input {
		d *= s
	}
	return d
}

// Outputs returns c, the number of outputs of the last layer.
func (a Architecture) Outputs() int { return a.Layers[len(a.Layers)-1].Out }

// shape is the shape of one sample between two layers; a vector has h = w = 0.
type shape struct{ c, h, w int }

func (s shape) size() int {
	if s.h == 0 {
		return s.c
	}
	return s.c * s.h * s.w
}

func (s shape) String() string {
	if s.h == 0 {
		return fmt.Sprintf("[%d]", s.c)
	}
	return fmt.Sprintf("[%d, %d, %d]", s.c, s.h, s.w)
}

// shapes returns the shape before every layer and after the last one, or an
// error that says which layer does not fit what it gets.
func (a Architecture) shapes() ([]shape, error) {
	s, err := a.inputShape()
	if err != nil {
		return nil, err
	}
	list := []shape{s}
	for i, l := range a.Layers {
		if s, err = l.output(s); err != nil {
			return nil, fmt.Errorf("layer %d (%v) on inputs of shape %v: %w", i, l.Kind, list[i], err)
		}
		if i > 0 && l.Kind == ActivationLayer && a.Layers[i-1].Kind != LinearLayer && a.Layers[i-1].Kind != ConvLayer {
			return nil, fmt.Errorf("layer %d: an activation belongs behind a linear layer or a convolution, not behind %v", i, a.Layers[i-1].Kind)
		}
		list = append(list, s)
	}
	if len(a.Layers) == 0 || a.Layers[len(a.Layers)-1].Kind != LinearLayer {
		return nil, fmt.Errorf("the last layer must be linear: its outputs are the function")
	}
	if k := a.Layers[0].Kind; k == ActivationLayer {
		return nil, fmt.Errorf("layer 0 is an activation; it belongs behind a linear layer or a convolution")
	}
	return list, nil
}

func (a Architecture) inputShape() (shape, error) {
	for _, s := range a.Input {
		if s < 1 {
			return shape{}, fmt.Errorf("input shape %v; sizes are at least 1", a.Input)
		}
	}
	switch len(a.Input) {
	case 1:
		return shape{c: a.Input[0]}, nil
	case 3:
		return shape{a.Input[0], a.Input[1], a.Input[2]}, nil
	}
	return shape{}, fmt.Errorf("input shape %v; give [d] for vectors or [channels, height, width] for images", a.Input)
}

// output returns the shape that the layer makes of s.
func (l Layer) output(s shape) (shape, error) {
	image := s.h > 0
	switch l.Kind {
	case LinearLayer:
		if image {
			return s, fmt.Errorf("it needs vectors: put flatten before it")
		}
		if l.Out < 1 {
			return s, fmt.Errorf("%d outputs; need at least 1", l.Out)
		}
		return shape{c: l.Out}, nil
	case ActivationLayer:
		if l.Activation < 0 || int(l.Activation) >= len(activationNames) {
			return s, fmt.Errorf("unknown activation %d", l.Activation)
		}
		return s, nil
	}
	if !image {
		return s, fmt.Errorf("it needs images: [channels, height, width]")
	}
	if l.Kind == FlattenLayer {
		return shape{c: s.size()}, nil
	}
	if l.Kernel < 1 {
		return s, fmt.Errorf("a window of %d; need at least 1", l.Kernel)
	}
	if l.Kind != ConvLayer {
		if s.h < l.Kernel || s.w < l.Kernel {
			return s, fmt.Errorf("the window of %d×%d is larger than the image", l.Kernel, l.Kernel)
		}
		return shape{s.c, s.h / l.Kernel, s.w / l.Kernel}, nil
	}
	if l.Out < 1 || l.Stride < 1 || l.Padding < 0 {
		return s, fmt.Errorf("%d channels, stride %d, padding %d; need at least 1, 1 and 0", l.Out, l.Stride, l.Padding)
	}
	if s.h+2*l.Padding < l.Kernel || s.w+2*l.Padding < l.Kernel {
		return s, fmt.Errorf("the kernel of %d×%d is larger than the padded image", l.Kernel, l.Kernel)
	}
	return shape{l.Out, (s.h+2*l.Padding-l.Kernel)/l.Stride + 1, (s.w+2*l.Padding-l.Kernel)/l.Stride + 1}, nil
}
