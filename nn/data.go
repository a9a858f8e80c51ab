package nn

import (
	"fmt"
	"math"

	"sobolev/internal/kernel"
)

// Data is a set of samples: X is N×d and Y is N×c, row-major. Classification
// says that Y is one-hot, so that an accuracy is defined.
type Data[T kernel.Float] struct {
	N              int
	X, Y           []T
	Classification bool
}

// check returns an error if data does not fit the network.
func (n *Network[T]) check(data Data[T]) error {
	if data.N < 1 {
		return fmt.Errorf("data: no samples")
	}
	if len(data.X) != data.N*n.Inputs() {
		return fmt.Errorf("data: %d samples of %d values; the network takes %d inputs", data.N, len(data.X)/data.N, n.Inputs())
	}
	if len(data.Y) != data.N*n.Outputs() {
		return fmt.Errorf("data: targets of %d values; the network has %d outputs", len(data.Y)/data.N, n.Outputs())
	}
	return nil
}

// input returns x_i and target y_i.
func (d Data[T]) input(i, width int) []T  { return d.X[i*width : (i+1)*width] }
func (d Data[T]) target(i, width int) []T { return d.Y[i*width : (i+1)*width] }

// Fit says how well a network meets the targets of n samples, with r_i = f(x_i) − y_i
// or, for CrossEntropy, p(x_i) − y_i.
type Fit struct {
	Loss         float64 // in the loss that was asked for
	RelativeLoss float64 // Σ‖r_i‖² / Σ‖y_i‖²; NaN where all targets are zero
	MaxResidual  float64 // the largest |r| of a sample and output
	Accuracy     float64 // share of samples whose largest output is the right one; NaN without classes or with a NaN output
}

// evaluationBlock is the number of rows in a block of a pass over a data set.
// Blocks are multiples of the kernels' row block, and the last is filled up
// with whatever rows the workspace holds, so that a sample's outputs do not
// depend on where the blocks are cut.
const evaluationBlock = 64

// Evaluator measures the fit of a network, reusing its memory between calls.
type Evaluator[T kernel.Float] struct {
	net *Network[T]
	ws  []*Workspace[T] // one for every worker that there was so far
}

// NewEvaluator returns an evaluator of n's outputs.
func (n *Network[T]) NewEvaluator() *Evaluator[T] {
	return &Evaluator[T]{net: n}
}

// Fit evaluates the network on data. Sums are in float64 and in sample order.
func (e *Evaluator[T]) Fit(data Data[T], loss Loss) (Fit, error) {
	n := e.net
	if err := n.check(data); err != nil {
		return Fit{}, err
	}
	if err := n.checkLoss(data, loss); err != nil {
		return Fit{}, err
	}
	c := n.Outputs()
	var residuals, targets, entropies float64
	var fit Fit
	shares := make([]T, c) // p − y
	right := 0
	block := min(evaluationBlock, wholeRows(data.N))
	lanes := n.lanes(data.N, block, math.MaxInt64)
	if len(e.ws) > 0 && e.ws[0].capacity < block {
		e.ws = nil
	}
	for len(e.ws) < lanes {
		e.ws = append(e.ws, n.NewWorkspace(block))
	}
	next := 0
	eachWindow(lanes, data.N, block, func(lane, from, rows int) {
		n.forwardBlock(e.ws[lane], data, from, rows)
	}, func(rows []int) {
		for lane, r := range rows {
			for i := range r {
				f, y := n.Output(e.ws[lane], i), data.target(next, c)
				next++
				if !loss.Squared() {
					entropies += crossEntropy(f, y)
					residual(loss, shares, f, y)
				}
				for j := range f {
					r := float64(f[j]) - float64(y[j])
					if !loss.Squared() {
						r = float64(shares[j])
					}
					residuals += r * r
					targets += float64(y[j]) * float64(y[j])
					fit.MaxResidual = math.Max(fit.MaxResidual, math.Abs(r))
				}
				if argmax(f) == argmax(y) {
					right++
				}
			}
		}
	})
	fit.Loss = residuals * loss.Scale(c) / 2 / float64(data.N)
	if !loss.Squared() {
		fit.Loss = entropies / float64(data.N)
	}
	fit.RelativeLoss = residuals / targets
	if targets == 0 {
		fit.RelativeLoss = math.NaN()
	}
	fit.Accuracy = math.NaN()
	if data.Classification && !math.IsNaN(fit.Loss) {
		fit.Accuracy = float64(right) / float64(data.N)
	}
	return fit, nil
}

// forwardBlock computes the outputs of samples from … from+rows−1.
func (n *Network[T]) forwardBlock(ws *Workspace[T], data Data[T], from, rows int) {
	for i := range rows {
		n.SetInput(ws, i, data.input(from+i, n.Inputs()))
	}
	n.Forward(ws, wholeRows(rows))
}

// wholeRows rounds a number of rows up to the kernels' row block.
func wholeRows(rows int) int {
	return (rows + kernel.RowBlock - 1) / kernel.RowBlock * kernel.RowBlock
}

func argmax[T kernel.Float](v []T) int {
	best := 0
	for i, x := range v {
		if x > v[best] {
			best = i
		}
	}
	return best
}
