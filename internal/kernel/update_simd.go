//go:build (amd64 || arm64) && !purego

package kernel

import "math/bits"

// updateTiled cuts the batch into chunks of equal size whose scaled deltas fit
// the scratch: in masks and three panels where zeros are skipped, in one panel
// otherwise.
func (w *Weights[T]) updateTiled(alpha T, dy, x, bias []T, batch int) {
	sx, sy := Stride[T](w.In), Stride[T](w.Out)
	if skipZeros && w.sparseInput(x, batch) {
		size := chunkOf(batch, maskBits)
		for b := 0; b < batch; b += size {
			masks := w.masks(b / size % maskChunks)
			if batch > size*maskChunks {
				liveMasks(&masks[0], &x[b*sx], sx, min(size, batch-b), sx/lanes[T]())
			}
			w.updateSparse(alpha, dy[b*sy:], x[b*sx:], bias, min(size, batch-b), masks)
		}
		return
	}
	size := chunkOf(batch, maskBits*maxPanels)
	for b := 0; b < batch; b += size {
		w.updateDense(alpha, dy[b*sy:], x[b*sx:], bias, min(size, batch-b))
	}
}

// chunkOf returns the size of equal chunks of a batch, at most the given one.
func chunkOf(batch, most int) int {
	chunks := (batch + most - 1) / most
	return (batch + chunks - 1) / chunks
}

// masks returns the masks of the live samples of chunk k.
func (w *Weights[T]) masks(k int) []uint32 {
	sx := Stride[T](w.In)
	return w.live[k*sx : (k+1)*sx]
}

// sparseInput says whether visiting only the live samples of each input is
// faster than dense tiles. Both give the same bits. It leaves the masks of a batch of up
// to maskChunks chunks.
func (w *Weights[T]) sparseInput(x []T, batch int) bool {
	sx, size := Stride[T](w.In), chunkOf(batch, maskBits)
	live := 0
	for b := 0; b < batch; b += size {
		masks := w.masks(b / size % maskChunks)
		liveMasks(&masks[0], &x[b*sx], sx, min(size, batch-b), sx/lanes[T]())
		for _, m := range masks {
			live += bits.OnesCount32(m)
		}
	}
	return live*10 < 8*batch*w.In
}

func (w *Weights[T]) updateSparse(alpha T, dy, x, bias []T, rows int, masks []uint32) {
	sx, sy := Stride[T](w.In), Stride[T](w.Out)
	for p, np := 0, 0; p < sy; p += np * w.width {
		np = panelsAtOnce((sy - p) / w.width)
		for q := range np {
			w.scaleDelta(q*w.width, np*w.width, bias, dy, p+q*w.width, sy, alpha, rows)
		}
		updateLive(np, &w.data[p*w.In], w.width*w.In, &x[0], sx, &w.delta[0], &masks[0], w.In)
	}
}

func (w *Weights[T]) updateDense(alpha T, dy, x, bias []T, rows int) {
	const inputs = 4 // of a tile
	sx, sy := Stride[T](w.In), Stride[T](w.Out)
	groups := w.In / inputs
	for p := 0; p < sy; p += w.width {
		w.scaleDelta(0, w.width, bias, dy, p, sy, alpha, rows)
		panel := w.data[p*w.In:]
		if groups > 0 {
			updateTile(&panel[0], &x[0], sx, &w.delta[0], rows, groups)
		}
		if i := inputs * groups; i < w.In {
			// What is left of the inputs lies before the padding of x, but a
			// whole tile would write into the next panel.
			var edge [inputs * 24]T
			rest := panel[i*w.width : w.In*w.width]
			copy(edge[:], rest)
			updateTile(&edge[0], &x[i], sx, &w.delta[0], rows, 1)
			copy(rest, edge[:])
		}
	}
}

// scaleDelta packs alpha·dy of the panel that starts at output p, and adds it
// to the bias.
func (w *Weights[T]) scaleDelta(at, stride int, bias, dy []T, p, sy int, alpha T, rows int) {
	var unused [24]T
	sum := &unused[0]
	if bias != nil {
		sum = &bias[p]
	}
	packDelta(&w.delta[at], stride, sum, &dy[p], sy, alpha, rows)
}

// panelsAtOnce cuts the panels that are left into threes and avoids a last one
// alone, which would wait for the latency of its three sums.
func panelsAtOnce(left int) int {
	switch left {
	case 1, 2:
		return left
	case 4:
		return 2
	}
	return 3
}
