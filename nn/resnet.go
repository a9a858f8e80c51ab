package nn

import "fmt"

// ResNet returns the residual network for small images of depth 6m+2 (He et al.,
// 2016a, section 4.2): a 3×3 convolution to width channels; three groups of m
// blocks of two 3×3 convolutions, with 1, 2 and 4 times the width, the second and
// third at half the size; the mean over all pixels; a linear layer. Every
// convolution has no bias and a batch normalisation behind it; shortcuts are of
// type A. input is [channels, height, width] with height = width; the paper has
// width 16 and depths 20 to 110.
func ResNet(input []int, depth, width, outputs int) (Architecture, error) {
	if depth < 8 || (depth-2)%6 != 0 {
		return Architecture{}, fmt.Errorf("a residual network of depth %d; the depth is 6m+2: 8, 14, 20, …", depth)
	}
	if len(input) != 3 || input[1] != input[2] {
		return Architecture{}, fmt.Errorf("a residual network on inputs of shape %v; it needs square images, [channels, size, size]", input)
	}
	if width < 1 || outputs < 1 {
		return Architecture{}, fmt.Errorf("a residual network of width %d with %d outputs; need at least 1", width, outputs)
	}
	convolution := func(out, stride int) []Layer {
		c := Conv(out, 3, stride, 1)
		c.NoBias = true
		return []Layer{c, BatchNorm()}
	}
	layers := append(convolution(width, 1), Activate(ReLU))
	size := input[1]
	for group := range 3 {
		for block := range (depth - 2) / 6 {
			stride := 1
			if group > 0 && block == 0 {
				stride, size = 2, (size-1)/2+1
			}
			out := width << group
			body := append(convolution(out, stride), Activate(ReLU))
			layers = append(layers, Residual(stride, append(body, convolution(out, 1)...)...), Activate(ReLU))
		}
	}
	layers = append(layers, AvgPool(size), Flatten(), Linear(outputs))
	return Architecture{Input: input, Layers: layers}, nil
}
