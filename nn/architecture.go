package nn

import (
	"fmt"
	"slices"
)

// Architecture is a list of layers on inputs of a given shape: [d], or
// [channels, height, width] for images. The position of a layer in the list is
// the number in its parameters' names, as in PyTorch's Sequential: "net.0.weight"
// belongs to Layers[0], "net.3.body.0.weight" to Layers[3].Body[0].
type Architecture struct {
	Input  []int
	Layers []Layer
	// Frozen is the number of leading entries of Layers whose parameters do not
	// train: a random-features network has fixed random first layers. They are
	// part of the flat vector of parameters and of checkpoints, but not of w in
	// moments; see Moments.
	Frozen int
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
	// NoBias leaves out the bias of a linear layer or a convolution.
	NoBias bool
	// Body is the inner part of a residual block, whose shortcut has Stride.
	Body []Layer
}

// Kind is a kind of layer.
type Kind int

// A linear layer takes vectors, a convolution and the poolings take images, and
// Flatten makes the vector [channels][height][width] of an image. A residual
// block adds its input to the output of its body.
const (
	LinearLayer Kind = iota
	ConvLayer
	ActivationLayer
	MaxPoolLayer
	AvgPoolLayer
	FlattenLayer
	BatchNormLayer
	ResidualLayer
)

var kindNames = []string{"linear", "conv", "activation", "maxpool", "avgpool", "flatten", "batchnorm", "residual"}

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

// BatchNorm returns a batch normalisation of the channels of images.
func BatchNorm() Layer { return Layer{Kind: BatchNormLayer} }

// Residual returns a block that adds to its body's output every stride-th pixel
// of its input, with zero channels on both sides where the body makes more of
// them: the shortcut of type A (He et al., 2016a).
func Residual(stride int, body ...Layer) Layer {
	return Layer{Kind: ResidualLayer, Stride: stride, Body: body}
}

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

// HasBatchNorm says whether a layer that trains is a batch normalisation, or has
// one in its body.
func (a Architecture) HasBatchNorm() bool {
	return slices.ContainsFunc(a.Layers[a.Frozen:], Layer.hasBatchNorm)
}

func (l Layer) hasBatchNorm() bool {
	return l.Kind == BatchNormLayer || slices.ContainsFunc(l.Body, Layer.hasBatchNorm)
}

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
	list, err := layerShapes(a.Layers, s)
	if err != nil {
		return nil, err
	}
	if len(a.Layers) == 0 || a.Layers[len(a.Layers)-1].Kind != LinearLayer {
		return nil, fmt.Errorf("the last layer must be linear: its outputs are the function")
	}
	if a.Frozen < 0 || a.Frozen >= len(a.Layers) {
		return nil, fmt.Errorf("%d frozen layers of %d; at least the last one trains", a.Frozen, len(a.Layers))
	}
	return list, nil
}

// layerShapes returns the shape s before the first layer and that after each.
func layerShapes(layers []Layer, s shape) ([]shape, error) {
	list := []shape{s}
	for i, l := range layers {
		var err error
		if s, err = l.output(s); err != nil {
			return nil, fmt.Errorf("layer %d (%v) on inputs of shape %v: %w", i, l.Kind, list[i], err)
		}
		if l.Kind == ActivationLayer {
			switch {
			case i == 0:
				return nil, fmt.Errorf("layer 0 is an activation; it belongs behind a linear layer or a convolution")
			case !layers[i-1].activates():
				return nil, fmt.Errorf("layer %d: an activation belongs behind a linear layer, a convolution, a batch normalisation or a residual block, not behind %v", i, layers[i-1].Kind)
			}
		}
		list = append(list, s)
	}
	return list, nil
}

// activates says whether an activation may follow.
func (l Layer) activates() bool {
	return l.Kind == LinearLayer || l.Kind == ConvLayer || l.Kind == BatchNormLayer || l.Kind == ResidualLayer
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
	if l.NoBias && l.Kind != LinearLayer && l.Kind != ConvLayer {
		return s, fmt.Errorf("only a linear layer or a convolution can be without a bias")
	}
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
	switch l.Kind {
	case FlattenLayer:
		return shape{c: s.size()}, nil
	case BatchNormLayer:
		return s, nil
	case ResidualLayer:
		return l.residualOutput(s)
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

// residualOutput returns the shape of a residual block, or an error if that of
// its body does not fit that of the shortcut.
func (l Layer) residualOutput(s shape) (shape, error) {
	if l.Stride < 1 || len(l.Body) == 0 {
		return s, fmt.Errorf("stride %d and a body of %d layers; need at least 1", l.Stride, len(l.Body))
	}
	list, err := layerShapes(l.Body, s)
	if err != nil {
		return s, fmt.Errorf("body: %w", err)
	}
	out := list[len(list)-1]
	h, w := (s.h-1)/l.Stride+1, (s.w-1)/l.Stride+1
	if out.h != h || out.w != w || out.c < s.c {
		return s, fmt.Errorf("the body makes %v; the shortcut of stride %d needs at least %d channels on %d×%d pixels", out, l.Stride, s.c, h, w)
	}
	return out, nil
}
