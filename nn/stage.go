package nn

import (
	"sobolev/internal/kernel"
)

// stage is a part of a network between two buffers: a dense layer, a convolution,
// a batch normalisation or the end of a residual block, with the activation behind
// it; the beginning of a residual block; a pooling, or a flattening.
// Buffers hold samples one after the other; in and out say how far apart, for
// values and for gradients. state is what newState returned for the workspace.
type stage[T kernel.Float] interface {
	in() place
	out() place
	newState(capacity int) *state[T]
	// forward computes the output y, after the activation, from x.
	forward(s *state[T], y, x []T, batch int)
	// backward computes dx from dy, the gradient with respect to the output
	// before the activation. Where gate is not nil it is x, the output of a
	// ReLU: elements of dx are zero where it is not positive.
	backward(s *state[T], dx, dy, gate []T, batch int)
	// newTangent returns a state for tangent; tangent computes ẏ from ẋ at the
	// point of the forward pass that left s and y.
	newTangent(capacity int) *state[T]
	tangent(s, t *state[T], ydot, xdot, y []T, batch int)
	// activation is applied to the output by forward, and taken back by the
	// stage above or by throughActivation.
	activation() Activation
}

// trainable is a stage with parameters.
type trainable[T kernel.Float] interface {
	stage[T]
	name() string
	// weightShape is in PyTorch's order; biases is the size of the bias.
	weightShape() []int
	biases() int
	// fanIn and fanOut of the initialisation.
	fan() (in, out int)
	affine() affine[T]
	// update adds alpha times the gradient of the batch to the affine map a,
	// which has the shape of this stage's.
	update(a affine[T], s *state[T], alpha T, dy, x []T, batch int)
	// updateTangent adds alpha·Σ dy ẋᵀ to the weights of a, where t is what
	// tangent left.
	updateTangent(a affine[T], s, t *state[T], alpha T, dy, xdot []T, batch int)
	// tangentAlong is tangent where the parameters move along v, which has the
	// shape of this stage's. xdot is nil where ẋ is zero.
	tangentAlong(v affine[T], s, t *state[T], ydot, xdot, x, y []T, batch int)
	// backwardAlong is backward with the weights of v in place of this stage's.
	backwardAlong(v affine[T], s *state[T], dx, dy, gate []T, batch int)
	// sums sets the power sums of the per-sample gradient of row i.
	sums(s *state[T], out *layerSums, dy, x []T, i int)
}

// affine holds weights and a bias in the layout of the kernels: a layer's
// parameters, or a gradient or velocity of the same shape.
type affine[T kernel.Float] interface {
	zero() affine[T] // of the same shape
	scale(a T)
	add(a T, v affine[T])
	// pack and unpack convert from and to PyTorch's order.
	pack(w, b []T)
	unpack(w, b []T)
}

// place is the layout of a sample in its buffers.
type place struct {
	shape shape
	// pixel is the distance between the pixels of an image.
	pixel int
	// value and gradient are the elements from sample to sample.
	value, gradient int
	// bordered images belong to kernel.ConvPool: values have a border of zeros,
	// gradients are compact.
	bordered bool
}

// vector is the layout of rows of n features.
func vector[T kernel.Float](n int) place {
	stride := kernel.Stride[T](n)
	return place{shape: shape{c: n}, value: stride, gradient: stride}
}

// image is the layout of NHWC images with the given distance between pixels.
func image(s shape, pixel int) place {
	return place{shape: s, pixel: pixel, value: s.h * s.w * pixel, gradient: s.h * s.w * pixel}
}

// state is what a stage keeps of a forward pass for the backward pass.
type state[T kernel.Float] struct {
	pre     []T      // pre-activations, for smooth activations
	patches []T      // of a convolution's input
	where   []uint16 // of a max-pooling's maxima
	offset  []int32  // of a kernel.ConvPool's maxima
	work    []T
	input   []T                // of a fork or a batch normalisation
	delta   []T                // at a join
	noBias  []T                // zeros, for products without a bias
	bias    []T                // of a kernel.ConvPool's direction
	weights *kernel.Weights[T] // of a kernel.ConvPool's tangent
	// batchStatistics lets a batch normalisation use those of the batch, and
	// holdAverages leaves its running averages as they are.
	batchStatistics, holdAverages bool
}

// bytes returns the size of s.
func (s *state[T]) bytes() int64 {
	return sizeOf[T]()*int64(len(s.pre)+len(s.patches)+len(s.work)) + int64(2*len(s.where)) + int64(4*len(s.offset))
}

// layerSums are a trainable stage's power sums at one sample; index k−1 is order k.
type layerSums struct {
	weight, bias []float64
	// delta sums over all pre-activations: for a layer without shared weights it
	// is that of a bias, for a convolution every position counts by itself.
	delta []float64
}
