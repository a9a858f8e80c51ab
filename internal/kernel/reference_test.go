package kernel

// naive is the lowest rung of the ladder: the three products as one would write
// them down, on the packed weights.
var naive = products{forward: naiveForward, backward: naiveBackward, update: naiveUpdate}

func naiveForward(w *Weights[float32], y, x, bias []float32, batch int, relu bool) {
	sx, sy := Stride[float32](w.In), Stride[float32](w.Out)
	for b := range batch {
		for o := range w.Out {
			panel := w.data[o/w.width*w.width*w.In+o%w.width:]
			sum := bias[o]
			for i := range w.In {
				sum += x[b*sx+i] * panel[i*w.width]
			}
			if relu {
				sum = max(sum, 0)
			}
			y[b*sy+o] = sum
		}
	}
}

func naiveBackward(w *Weights[float32], dx, dy, gate []float32, batch int) {
	sx, sy := Stride[float32](w.In), Stride[float32](w.Out)
	for b := range batch {
		for i := range w.In {
			var sum float32
			if gate[b*sx+i] > 0 {
				for o := range w.Out {
					sum += dy[b*sy+o] * w.data[(o/w.width*w.In+i)*w.width+o%w.width]
				}
			}
			dx[b*sx+i] = sum
		}
	}
}

func naiveUpdate(w *Weights[float32], alpha float32, dy, x, bias []float32, batch int) {
	sx, sy := Stride[float32](w.In), Stride[float32](w.Out)
	for b := range batch {
		for o := range w.Out {
			d := alpha * dy[b*sy+o]
			bias[o] += d
			panel := w.data[o/w.width*w.width*w.In+o%w.width:]
			for i := range w.In {
				panel[i*w.width] += d * x[b*sx+i]
			}
		}
	}
}
