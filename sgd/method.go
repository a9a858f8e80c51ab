package sgd

import (
	"fmt"
	"math"

	"sobolev/internal/kernel"
	"sobolev/nn"
)

// Method says along which gradient a step goes. L_S is the loss of the batch S.
// Momentum, Nesterov and weight decay act on the gradient of every method.
type Method int

const (
	// SGD steps along ∇L_S(W).
	SGD Method = iota
	// GD, gradient descent, steps along the gradient of the loss over all n
	// samples.
	GD
	// SAM, sharpness-aware minimisation, steps along the gradient at the worst
	// point, to first order, of a ball of radius ρ around W:
	//
	//	∇L_S(W + ρ ∇L_S(W)/‖∇L_S(W)‖₂)
	//
	// Where ∇L_S(W) = 0 it is SGD. Weight decay λW is taken at W and has no part
	// in the ascent. Foret et al. (2021), equations (2) and (3).
	SAM
	// InputPenalty steps along ∇_W [L_S + (λ/B) Σ_{i∈S} Σ_c ‖∇_x f_c(x_i)‖²], an
	// unbiased estimate of the gradient of the loss and λ/n times the sum over
	// all samples: Drucker & Le Cun's (1992) double backpropagation, with the
	// outputs' gradients in the place of the loss's.
	InputPenalty
	// LabelNoise steps along the gradient of the loss at the targets y_i + ξ_i,
	// with fresh ξ ~ N(0, σ²) for every step, sample of the batch and output.
	LabelNoise
)

var methodNames = []string{"sgd", "gd", "sam", "input-penalty", "label-noise"}

func (m Method) String() string { return methodNames[m] }

// ParseMethod is the inverse of String.
func ParseMethod(name string) (Method, error) {
	for i, s := range methodNames {
		if s == name {
			return Method(i), nil
		}
	}
	return 0, fmt.Errorf("method %q is not known; one of %q", name, methodNames)
}

// blockSize bounds the samples of GD that are in memory at once.
const blockSize = 256

// strength is what the method alone uses of the configuration.
func (c Config) strength() (value float64, what string) {
	switch c.Method {
	case SAM:
		return c.SAMRadius, "the radius"
	case InputPenalty:
		return c.InputPenalty, "the factor of the penalty"
	case LabelNoise:
		return c.LabelNoise, "the standard deviation of the noise"
	}
	return 1, ""
}

// checkMethod returns an error for a method that cannot step as it is configured.
func (c Config) checkMethod() error {
	switch value, what := c.strength(); {
	case c.Method < SGD || int(c.Method) >= len(methodNames):
		return fmt.Errorf("method %d is not known", c.Method)
	case !(value > 0) || math.IsInf(value, 0):
		return fmt.Errorf("method %v: %v is not a positive number for %s", c.Method, value, what)
	case !(c.WeightDecay >= 0) || math.IsInf(c.WeightDecay, 0):
		return fmt.Errorf("weight decay %v is not a number ≥ 0", c.WeightDecay)
	case c.Nesterov && c.Momentum == 0:
		return fmt.Errorf("momentum 0; Nesterov's step needs one above 0")
	}
	return nil
}

// setGradient sets t.gradient to the method's gradient at the present parameters
// and returns the batch loss there.
func (t *Trainer[T]) setGradient() float64 {
	t.gradient.Scale(0)
	if t.Config.Method == GD {
		return t.addFullGradient()
	}
	loss := t.addBatchGradient(t.gradient)
	switch t.Config.Method {
	case SAM:
		t.ascend()
		t.gradient.Scale(0)
		t.Network.HoldRunningAverages(true)
		t.addBatchGradient(t.gradient)
		t.Network.HoldRunningAverages(false)
		t.Network.SetParameters(t.saved)
	case InputPenalty:
		t.Network.AddInputPenalty(t.gradient, t.ws, t.Config.InputPenalty, len(t.batch))
	}
	return loss
}

// addBatchGradient adds ∇L_S of the rows in the workspace, with the noise of the
// targets, to g, and returns L_S without that noise.
func (t *Trainer[T]) addBatchGradient(g *nn.Gradient[T]) float64 {
	loss := t.Network.AddGradient(g, t.ws, t.Config.Loss, t.target, len(t.batch))
	return t.withoutNoise(loss)
}

// addFullGradient adds the gradient over all data to t.gradient, which is zero,
// and returns the loss over all data. The blocks come in a fixed order; the short
// one is first, so that one factor makes a mean over the block what it counts in
// the mean over the data.
func (t *Trainer[T]) addFullGradient() float64 {
	n, full := t.data.N, cap(t.batch)
	loss := 0.0
	if short := n % full; short > 0 {
		share := float64(short) / float64(full)
		loss = share * t.addBlock(0, short)
		t.gradient.Scale(T(share))
	}
	for from := n % full; from < n; {
		if count := min(len(t.lanes), (n-from)/full); count > 1 {
			loss = t.addBlocks(loss, from, full, count)
			from += count * full
			continue
		}
		loss += t.addBlock(from, full)
		from += full
	}
	share := float64(full) / float64(n)
	t.gradient.Scale(T(share))
	return share * loss
}

func (t *Trainer[T]) addBlock(from, size int) float64 {
	t.batch = t.batch[:size]
	for i := range t.batch {
		t.batch[i] = from + i
	}
	t.load()
	return t.addBatchGradient(t.gradient)
}

// addBlocks is addBlock for several blocks at once, with the same bits: it returns
// loss with the blocks' added.
func (t *Trainer[T]) addBlocks(loss float64, from, size, count int) float64 {
	d, c, losses := t.Network.Inputs(), t.Network.Outputs(), make([]float64, count)
	for k, ws := range t.lanes[:count] {
		for i := range size {
			sample := from + k*size + i
			t.Network.SetInput(ws, i, t.data.X[sample*d:(sample+1)*d])
		}
	}
	t.Network.AddGradients(losses, t.gradient, t.lanes[:count], t.Config.Loss, func(k, i int) []T {
		sample := from + k*size + i
		return t.data.Y[sample*c : (sample+1)*c]
	}, size)
	for _, l := range losses {
		loss += l
	}
	return loss
}

// ascend moves the parameters by ρ g/‖g‖₂ for SAM, where g is t.gradient, and
// keeps those before in t.saved: adding and taking away again would round. It
// leaves them where g is zero, or too small to be given the length ρ in T.
func (t *Trainer[T]) ascend() {
	t.gradient.CopyTo(t.flat)
	t.square[0] = 0
	kernel.EvenPowerSums(t.square[:], t.flat)
	t.Network.CopyParameters(t.saved)
	if a := T(t.Config.SAMRadius / math.Sqrt(t.square[0])); !math.IsInf(float64(a), 0) {
		t.Network.Add(a, t.gradient)
	}
}

// drawNoise sets the noisy targets of the present batch.
func (t *Trainer[T]) drawNoise() {
	t.noise.seed(t.step)
	c := t.Network.Outputs()
	for i, sample := range t.batch {
		for j, y := range t.data.Y[sample*c : (sample+1)*c] {
			t.noisy[i*c+j] = y + T(t.Config.LabelNoise*t.noise.rng.NormFloat64())
		}
	}
}

// withoutNoise returns the batch loss at the targets of the data, given the loss
// that the last pass of the network returned.
func (t *Trainer[T]) withoutNoise(loss float64) float64 {
	if t.Config.Method != LabelNoise {
		return loss
	}
	c := t.Network.Outputs()
	squares := 0.0
	for i, sample := range t.batch {
		y := t.data.Y[sample*c : (sample+1)*c]
		for j, f := range t.Network.Output(t.ws, i) {
			r := float64(f - y[j])
			squares += r * r
		}
	}
	return squares * t.Config.Loss.Scale(c) / float64(2*len(t.batch))
}
