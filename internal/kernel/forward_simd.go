//go:build (amd64 || arm64) && !purego

package kernel

// forwardDepth is the number of inputs in a block: the weights of a block and
// two panels, 24 KiB, have to stay in the first cache while all samples pass.
const forwardDepth = 128

// forwardSamples pass a block of weights before the next one comes from a cache farther
// away.
const forwardSamples = 64

func (w *Weights[T]) forwardTiled(y, x, bias []T, batch int, relu bool) {
	sx, sy := Stride[T](w.In), Stride[T](w.Out)
	for b := 0; b < batch; b += forwardSamples {
		rows := min(forwardSamples, batch-b)
		w.forwardRows(y[b*sy:], x[b*sx:], bias, rows, relu)
	}
}

// A forwardPlan says how the samples pass one block of inputs. Samples go in
// pairs, each with the list of the inputs that are live in one of the two, so
// that the zeros of a pair cost nothing; a last odd sample has a list of its
// own. Two pairs with hardly a zero make a dense tile.
//
// A list for four samples finds too few common zeros, and lists for single
// samples need a load for each multiply-add: both were slower on activations
// with half of the elements zero.
type forwardPlan struct {
	index [forwardSamples / 2][forwardDepth + listSlack]uint16
	count [forwardSamples / 2]int
	dense [forwardSamples / 2]bool // at the first of two pairs
}

// listSlack is how far liveIndex may write behind the end of a list.
const listSlack = 8

func planForward[T Float](f *forwardPlan, x []T, sx, rows, n int) {
	vectors := (n + lanes[T]() - 1) / lanes[T]()
	for b := 0; b < rows; b += 2 {
		f.count[b/2] = liveIndex(&f.index[b/2][0], &x[b*sx], sx, min(2, rows-b), vectors)
	}
	for b := 0; b+RowBlock <= rows; b += RowBlock {
		live := f.count[b/2] + f.count[b/2+1]
		f.dense[b/2] = live*10 >= 2*n*9 || !skipZeros
	}
}

// allDense says whether dense tiles serve all samples and inputs, and marks them
// in the plan. A tile may then run over all inputs at once: four samples need so
// few weights per multiply-add that the second cache keeps up. With few samples
// the weights come from farther away, and blocks are better.
func (w *Weights[T]) allDense(f *forwardPlan, x []T, rows int) bool {
	const manyRows = 12
	if rows < manyRows || rows%RowBlock != 0 {
		return false
	}
	for k := 0; k < w.In; k += forwardDepth {
		planForward(f, x[k:], Stride[T](w.In), rows, min(forwardDepth, w.In-k))
		for b := 0; b < rows; b += RowBlock {
			if !f.dense[b/2] {
				return false
			}
		}
	}
	return true
}

func (w *Weights[T]) forwardRows(y, x, bias []T, rows int, relu bool) {
	var f forwardPlan
	sx, sy := Stride[T](w.In), Stride[T](w.Out)
	panel := w.width * w.In
	depth := forwardDepth
	if w.allDense(&f, x, rows) {
		depth = w.In
	}
	for k := 0; k < w.In; k += depth {
		n := min(depth, w.In-k)
		if depth == forwardDepth {
			planForward(&f, x[k:], sx, rows, n)
		}
		last := relu && k+n == w.In
		for p := 0; p < sy; p += 2 * w.width {
			np := min(2, (sy-p)/w.width)
			tile := w.data[p*w.In+k*w.width:]
			for b, h := 0, 0; b < rows; b += h {
				init, si := y[b*sy+p:], sy
				if k == 0 {
					init, si = bias[p:], 0
				}
				if f.dense[b/2] {
					h = RowBlock
					for q := range np {
						at := q * w.width
						forwardTile(&y[b*sy+p+at], sy, &x[b*sx+k], sx, &tile[q*panel], n, &init[at], si, last)
					}
					continue
				}
				samples, groups := 2, 1
				if b+1 == rows {
					samples = 1
				}
				for samples == 2 && b+2*groups+1 < rows && !f.dense[b/2+groups] {
					groups++
				}
				h = samples * groups
				forwardLive(samples, np, &y[b*sy+p], sy, &x[b*sx+k], sx, &tile[0], panel,
					&f.index[b/2][0], len(f.index[0]), &f.count[b/2], groups, &init[0], si, last)
			}
		}
	}
}
