//go:build (amd64 || arm64) && !purego

package kernel

// The inputs are taken in windows, and a window in phases: the weights of a
// phase, some twelve inputs over 500 outputs, share the first cache with the
// deltas of a few samples.
const (
	backwardWindow = 48 // whole vectors and panels of either type
	backwardPhases = 4
)

func (w *Weights[T]) backwardTiled(dx, dy, gate []T, batch int) {
	sx, sy := Stride[T](w.In), Stride[T](w.Out)
	clear(dx)
	if sy == w.width {
		w.backwardNarrow(dx, dy, batch)
	} else {
		for b := 0; b < batch; b += maskBits {
			var g []T
			if gate != nil {
				g = gate[b*sx:]
			}
			w.backwardRows(dx[b*sx:], dy[b*sy:], g, min(maskBits, batch-b))
		}
	}
	if gate != nil {
		gateVectors(&dx[0], &gate[0], len(dx)/lanes[T]())
	}
}

// backwardNarrow serves layers of one panel, where the sums along the outputs
// are shorter than their reduction. It transposes the weights, some inputs at a
// time, and works as the forward does.
func (w *Weights[T]) backwardNarrow(dx, dy []T, batch int) {
	const most = 24 // inputs and outputs in a panel
	var turned [most * most]T
	var zero [most]T
	var every [most]uint16
	for o := range every {
		every[o] = uint16(o)
	}
	count := [1]int{w.Out}
	sx, sy := Stride[T](w.In), w.width
	for i := 0; i < w.In; i += w.width {
		n := min(w.width, w.In-i)
		clear(turned[:])
		for j := range n {
			for o, v := range w.data[(i+j)*w.width : (i+j)*w.width+w.Out] {
				turned[o*w.width+j] = v
			}
		}
		b := 0
		for ; b+RowBlock <= batch; b += RowBlock {
			forwardTile(&dx[b*sx+i], sx, &dy[b*sy], sy, &turned[0], w.Out, &zero[0], 0, false)
		}
		for ; b < batch; b++ {
			forwardLive(1, 1, &dx[b*sx+i], sx, &dy[b*sy], sy, &turned[0], 0, &every[0], 0, &count[0], 1, &zero[0], 0, false)
		}
	}
}

// A backwardPlan lists, for a window of inputs and each pair of samples, the
// inputs whose gate is open in one of the two. What is computed for a closed
// gate beside an open one is removed at the end. Two pairs with hardly a closed
// gate share dense tiles of four samples.
type backwardPlan struct {
	index [maskBits / 2][backwardWindow + listSlack]uint16
	count [maskBits / 2]int
	dense [maskBits / 2]bool // at the first of two pairs
	every [backwardWindow + listSlack]uint16
}

func planBackward[T Float](f *backwardPlan, gate []T, sx, rows, n int) {
	for i := range f.every {
		f.every[i] = uint16(min(i, n-1))
	}
	vectors := (n + lanes[T]() - 1) / lanes[T]()
	for b := 0; b < rows; b += 2 {
		list := &f.index[b/2]
		if gate == nil || !skipZeros {
			f.count[b/2], *list = n, f.every
			continue
		}
		live := liveIndex(&list[0], &gate[b*sx], sx, min(2, rows-b), vectors)
		f.count[b/2] = live
		// Tiles are wider than what may be left at the end.
		for i := live; i > 0 && i < live+listSlack; i++ {
			list[i] = list[live-1]
		}
	}
	for b := 0; b+RowBlock <= rows; b += RowBlock {
		live := f.count[b/2] + f.count[b/2+1]
		f.dense[b/2] = live*10 >= 2*n*9 || !skipZeros
	}
}

func (w *Weights[T]) backwardRows(dx, dy, gate []T, rows int) {
	var f backwardPlan
	sx, sy := Stride[T](w.In), Stride[T](w.Out)
	panel, panels := w.width*w.In, sy/w.width
	for i := 0; i < w.In; i += backwardWindow {
		n := min(backwardWindow, w.In-i)
		var g []T
		if gate != nil {
			g = gate[i:]
		}
		planBackward(&f, g, sx, rows, n)
		for phase := range backwardPhases {
			for b, h := 0, 0; b < rows; b += h {
				live, list, most := f.count[b/2], &f.index[b/2], 6
				switch left := rows - b; {
				case f.dense[b/2] && left == 5:
					h, live, list, most = 5, n, &f.every, inputsOfFive
				case f.dense[b/2]:
					h, live, list, most = 4, n, &f.every, inputsOfFour
				case left == 1:
					h, most = 1, 8
				default:
					h = 2
				}
				tiles := (live + most - 1) / most
				for t := tiles * phase / backwardPhases; t < tiles*(phase+1)/backwardPhases; t++ {
					first, size := t*most, most
					switch {
					case h == 2:
						first = live * t / tiles
						size = max(4, live*(t+1)/tiles-first)
					case h == 1 && live-first <= 4:
						size = 4
					}
					backwardTile(h, size, &dx[b*sx+i], sx, &dy[b*sy], sy, &w.data[i*w.width], panel, panels, &list[first])
				}
			}
		}
	}
}
