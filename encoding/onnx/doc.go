// Package onnx reads and writes the subset of ONNX (https://onnx.ai) that
// describes a feed-forward network, as PyTorch and Keras export it.
//
// Reading has two steps. Read decodes a file to a Model: nodes, initializers,
// inputs and outputs, checked against the rules of the format. Model.Network
// then turns the graph into a list of layers in plain data: dense layers and
// convolutions with weights in PyTorch's layout, activations, poolings, batch
// normalisations and residual blocks. Encode writes such a list.
//
//	operator                              becomes
//	Gemm, MatMul (+ Add)                  Linear
//	Conv (+ Add)                          Conv: square kernel, stride and padding; one group, no dilation
//	Relu, Tanh, Gelu, Softplus, Sigmoid   Activate; also the Gelu of Div, Erf, Add, Mul that opset < 20 has
//	MaxPool, AveragePool                  MaxPool, AvgPool: windows side by side, without padding
//	GlobalAveragePool, ReduceMean         AvgPool over a square image
//	Flatten, Reshape, Squeeze             Flatten
//	BatchNormalization                    BatchNorm, with running averages
//	Add of a branch and its input         Residual; Slice and Pad may make the shortcut of type A
//	Transpose                             nothing: see below
//	Identity, Dropout, Cast               nothing
//	Softmax, LogSoftmax as the last node  nothing, with a warning: the layers end in the logits
//	Constant, Shape, Gather, Unsqueeze,   evaluated
//	Concat
//
// Keras keeps images channels-last and exports a Transpose on both sides of
// every convolution. Here all images are [channels, height, width]: a Transpose
// that only changes the order of storage vanishes, and the weights behind a
// flattened channels-last image are permuted to the order of Flatten. If the
// graph's own input is channels-last, Network.ChannelsLast says so.
//
// Batch normalisation stays a layer of its own, so that the parameters are the
// ones that were trained; Network.FoldBatchNorm puts it into the layer in front, and
// Network.MoveActivations an activation in front of a max-pooling.
//
// A file that breaks the format is ErrMalformed; one that follows it and uses
// something this package does not know is ErrUnsupported. Both name the file
// and the node or tensor, what was found and what would be right. Sizes are checked before
// anything of that size is allocated, so a file costs memory in proportion to
// its own length and that of its external data, whatever it claims.
package onnx

import "errors"

var (
	// ErrMalformed is in the chain of every error about a file that breaks the format.
	ErrMalformed = errors.New("malformed ONNX file")
	// ErrUnsupported is in the chain of every error about a valid file that is no
	// feed-forward network as this package knows them.
	ErrUnsupported = errors.New("valid but unsupported ONNX content")
)
