package onnx

import "fmt"

// Network is a feed-forward network as a list of layers on inputs of the shape
// Input: [d], or [channels, height, width] for images.
type Network struct {
	Input []int
	// ChannelsLast says that the graph takes images as [height][width][channels],
	// as Keras does. Input and Layers are channels-first all the same.
	ChannelsLast bool
	Layers       []Layer
	// Warnings say what in the graph is not part of Layers, though it is part of
	// the function: a softmax behind the logits, a rounding.
	Warnings []string
}

// Layer is one entry of a network. Kind says which fields count.
type Layer struct {
	Kind Kind
	// Name is that of the node in the file, for messages; Encode ignores it.
	Name string
	// Out is the number of outputs of a linear layer, or of channels of a
	// convolution.
	Out int
	// Kernel, Stride and Padding belong to convolutions; Kernel is also the
	// window of a pooling, whose windows lie side by side. Stride is also that of
	// a residual block's shortcut.
	Kernel, Stride, Padding int
	// Activation belongs to Activate.
	Activation Activation
	// Weight is [out][in] of a linear layer, [out][in][Kernel][Kernel] of a
	// convolution, row-major, and γ of a batch normalisation; Bias is [out], nil if
	// there is none, or β. Layers may share these slices; do not write to them.
	Weight, Bias []float64
	// Mean and Variance are the running averages of a batch normalisation,
	// y = γ (x − mean)/√(variance + Epsilon) + β, per channel.
	Mean, Variance []float64
	Epsilon        float64
	// Body is the inner part of a residual block, whose output is that of the body
	// plus every Stride-th pixel of the block's input, with zero channels on both
	// sides where the body makes more of them: (out−in)/2, rounded down, in front.
	Body []Layer
}

// Kind is a kind of layer.
type Kind string

// A linear layer takes vectors, a convolution and the poolings take images;
// Flatten makes the vector [channels][height][width] of an image, and the rest
// take both.
const (
	Linear    Kind = "linear"
	Conv      Kind = "conv"
	Activate  Kind = "activation"
	MaxPool   Kind = "maxpool"
	AvgPool   Kind = "avgpool"
	Flatten   Kind = "flatten"
	BatchNorm Kind = "batchnorm"
	Residual  Kind = "residual"
)

// Activation is a function that is applied to every unit.
type Activation string

// The activations: max(0, x); tanh x; x Φ(x), with the distribution function Φ of
// the standard normal law; log(1 + eˣ); 1/(1 + e⁻ˣ).
const (
	ReLU     Activation = "relu"
	Tanh     Activation = "tanh"
	GELU     Activation = "gelu"
	Softplus Activation = "softplus"
	Sigmoid  Activation = "sigmoid"
)

// shape is the shape of one sample between two layers; a vector has h = w = 0.
type shape struct{ c, h, w int }

func (s shape) image() bool { return s.h > 0 }

func (s shape) size() int {
	if s.image() {
		return s.c * s.h * s.w
	}
	return s.c
}

func (s shape) dims() []int {
	if s.image() {
		return []int{s.c, s.h, s.w}
	}
	return []int{s.c}
}

func (s shape) String() string { return fmt.Sprint(s.dims()) }

// maxSample bounds the elements of one sample anywhere in a network and maxPadding
// every padding, so that sizes do not overflow where an int has 32 bits.
const (
	maxSample  = 1 << 30
	maxPadding = 1 << 28
)

// shapeOf returns the shape with the given sizes.
func shapeOf(dims []int) (shape, error) {
	if n, ok := count(dims); !ok || n < 1 || n > maxSample {
		return shape{}, fmt.Errorf("a sample of shape %v; sizes are at least 1 and make up to 2^30 elements", dims)
	}
	switch len(dims) {
	case 1:
		return shape{c: dims[0]}, nil
	case 3:
		return shape{dims[0], dims[1], dims[2]}, nil
	}
	return shape{}, fmt.Errorf("a sample of shape %v; known are vectors [d] and images [channels, height, width]", dims)
}

// output returns the shape that a layer makes of s, or why it does not fit.
func (l *Layer) output(s shape) (shape, error) {
	switch l.Kind {
	case Linear:
		return l.linearOutput(s)
	case Activate:
		switch l.Activation {
		case ReLU, Tanh, GELU, Softplus, Sigmoid:
			return s, nil
		}
		return s, fmt.Errorf("unknown activation %.40q", string(l.Activation))
	case BatchNorm:
		return s, l.checkNorm(s.c)
	}
	if l.Kind == Residual {
		return l.residualOutput(s)
	}
	if !s.image() {
		return s, fmt.Errorf("it needs images, not vectors of %v", s)
	}
	switch l.Kind {
	case Conv:
		return l.convOutput(s)
	case MaxPool, AvgPool:
		if l.Kernel < 1 || l.Kernel > s.h || l.Kernel > s.w {
			return s, fmt.Errorf("a window of %d×%d on %d×%d pixels", l.Kernel, l.Kernel, s.h, s.w)
		}
		return shape{s.c, s.h / l.Kernel, s.w / l.Kernel}, nil
	case Flatten:
		return shape{c: s.size()}, nil
	}
	return s, fmt.Errorf("unknown kind %.40q", string(l.Kind))
}

func (l *Layer) linearOutput(s shape) (shape, error) {
	if s.image() {
		return s, fmt.Errorf("it needs vectors, not images of %v: flatten them first", s)
	}
	return shape{c: l.Out}, l.checkWeights([]int{l.Out, s.c})
}

func (l *Layer) convOutput(s shape) (shape, error) {
	if l.Kernel < 1 || l.Stride < 1 || l.Padding < 0 || l.Padding > maxPadding {
		return s, fmt.Errorf("kernel %d, stride %d, padding %d; at least 1, 1 and 0 are needed, and padding up to 2^28", l.Kernel, l.Stride, l.Padding)
	}
	if s.h+2*l.Padding < l.Kernel || s.w+2*l.Padding < l.Kernel {
		return s, fmt.Errorf("a kernel of %d×%d on %d×%d pixels with padding %d", l.Kernel, l.Kernel, s.h, s.w, l.Padding)
	}
	if err := l.checkWeights([]int{l.Out, s.c, l.Kernel, l.Kernel}); err != nil {
		return s, err
	}
	return shapeOf([]int{l.Out, (s.h+2*l.Padding-l.Kernel)/l.Stride + 1, (s.w+2*l.Padding-l.Kernel)/l.Stride + 1})
}

// checkWeights requires weights of the shape want, whose first size is Out.
func (l *Layer) checkWeights(want []int) error {
	n, ok := count(want)
	if !ok || n == 0 || n != uint64(len(l.Weight)) {
		return fmt.Errorf("%d weights, shape %v needs %d", len(l.Weight), want, n)
	}
	if l.Bias != nil && len(l.Bias) != l.Out {
		return fmt.Errorf("%d biases of %d outputs", len(l.Bias), l.Out)
	}
	return nil
}

func (l *Layer) checkNorm(channels int) error {
	if len(l.Weight) != channels || len(l.Bias) != channels || len(l.Mean) != channels || len(l.Variance) != channels {
		return fmt.Errorf("scale, bias, mean and variance of %d, %d, %d and %d elements on %d channels", len(l.Weight), len(l.Bias), len(l.Mean), len(l.Variance), channels)
	}
	for i, v := range l.Variance {
		if !(v+l.Epsilon > 0) {
			return fmt.Errorf("variance %d is %v, with epsilon %v; their sum must be positive", i, v, l.Epsilon)
		}
	}
	return nil
}

func (l *Layer) residualOutput(s shape) (shape, error) {
	out, err := outputs(l.Body, s)
	if err != nil || len(l.Body) == 0 || l.Stride < 1 {
		return s, fmt.Errorf("a body of %d layers, stride %d: %v", len(l.Body), l.Stride, err)
	}
	want := shape{out.c, s.h, s.w}
	if s.image() {
		want.h, want.w = (s.h-1)/l.Stride+1, (s.w-1)/l.Stride+1
	} else if l.Stride > 1 {
		return s, fmt.Errorf("stride %d on vectors", l.Stride)
	}
	if out != want || out.c < s.c || out.c > s.c && !s.image() {
		return s, fmt.Errorf("the body makes %v of %v; the shortcut has stride %d and adds only channels", out, s, l.Stride)
	}
	return out, nil
}

// outputs returns the shape behind a list of layers.
func outputs(layers []Layer, s shape) (shape, error) {
	for i := range layers {
		var err error
		if s, err = layers[i].output(s); err != nil {
			return s, fmt.Errorf("layer %d (%.40s): %w", i, layers[i].Kind, err)
		}
	}
	return s, nil
}
