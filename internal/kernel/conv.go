package kernel

// ConvShape describes a two-dimensional convolution with a square kernel, the
// same stride and zero padding in both directions,
//
//	y[oy][ox][o] = Σ_{ky,kx,c} w[o][ky][kx][c] · x[oy·Stride+ky−Padding][ox·Stride+kx−Padding][c],
//
// x zero outside of the image. It is computed by a dense layer of PatchSize
// inputs on the rows that Im2col makes:
//
//	Im2col(s, patches, x, pixel, batch)
//	weights.Forward(y, patches, bias, batch·s.Positions(), relu)
//
// so that y is NHWC with Stride(OutC) elements from pixel to pixel. Update takes
// the same rows; the input gradient is Col2im of what Backward gives. All three
// may run on part of a batch at a time, and should, so that the patches stay in
// the second cache: Update adds, rows are independent.
//
// Activations are NHWC: sample after sample, row after row, pixel after pixel,
// with a distance of pixel ≥ channels elements between pixels: InC for compact
// images, Stride(InC) for the output of another layer.
type ConvShape struct {
	InC, InH, InW           int
	OutC                    int
	Kernel, Stride, Padding int
}

// OutH is the height of the output, rounded down; less than one where the
// kernel is larger than the padded image.
func (s ConvShape) OutH() int { return outSize(s.InH, s.Kernel, s.Stride, s.Padding) }

// OutW is the width of the output.
func (s ConvShape) OutW() int { return outSize(s.InW, s.Kernel, s.Stride, s.Padding) }

func outSize(in, kernel, stride, padding int) int {
	if in+2*padding < kernel {
		return 0
	}
	return (in+2*padding-kernel)/stride + 1
}

// Positions is the number of output positions of a sample: the rows that a
// sample has in the matrix of patches.
func (s ConvShape) Positions() int { return s.OutH() * s.OutW() }

// PatchSize is the number of inputs of a position, in the order [ky][kx][c].
func (s ConvShape) PatchSize() int { return s.Kernel * s.Kernel * s.InC }

// check panics where the shape is meaningless.
func (s ConvShape) check() {
	if s.InC <= 0 || s.InH <= 0 || s.InW <= 0 || s.OutC <= 0 || s.Kernel <= 0 || s.Stride <= 0 || s.Padding < 0 {
		panic("kernel: ConvShape: sizes must be positive")
	}
	if s.OutH() <= 0 || s.OutW() <= 0 {
		panic("kernel: ConvShape: kernel larger than the padded image")
	}
}

// FromTorch writes weights in PyTorch's order [out][in][ky][kx] to dst in the
// order that Weights.Pack takes, [out][ky][kx][in].
func FromTorch[T Float](s ConvShape, dst, src []T) { permuteTorch(s, dst, src, false) }

// ToTorch is the inverse of FromTorch: src is [out][ky][kx][in], dst is
// [out][in][ky][kx].
func ToTorch[T Float](s ConvShape, dst, src []T) { permuteTorch(s, src, dst, true) }

func permuteTorch[T Float](s ConvShape, ours, torch []T, back bool) {
	taps := s.Kernel * s.Kernel
	if n := s.OutC * s.InC * taps; len(ours) != n || len(torch) != n {
		panic("kernel: FromTorch, ToTorch: length is not out·in·kernel²")
	}
	for o := range s.OutC {
		a, b := ours[o*taps*s.InC:], torch[o*taps*s.InC:]
		for c := range s.InC {
			for t := range taps {
				if back {
					b[c*taps+t] = a[t*s.InC+c]
				} else {
					a[t*s.InC+c] = b[c*taps+t]
				}
			}
		}
	}
}

// Im2col writes the patches of a batch: row (b·OutH + oy)·OutW + ox of dst
// holds the inputs of that position as [ky][kx][c], zero outside of the image;
// rows are Stride(PatchSize) apart and their padding is set to zero. It panics
// if the shape has no output, pixel is less than InC or a slice is too short.
func Im2col[T Float](s ConvShape, dst, x []T, pixel, batch int) {
	s.checkMaps(len(dst), len(x), Stride[T](s.PatchSize()), pixel, batch)
	stride, run := Stride[T](s.PatchSize()), s.Kernel*s.InC
	for b := range batch {
		image := x[b*s.InH*s.InW*pixel:]
		for oy := range s.OutH() {
			rows := dst[:s.OutW()*stride]
			dst = dst[len(rows):]
			for ky := range s.Kernel {
				y := oy*s.Stride + ky - s.Padding
				if y < 0 || y >= s.InH {
					for ox := range s.OutW() {
						clear(rows[ox*stride+ky*run:][:run])
					}
					continue
				}
				gatherRow(s, rows[ky*run:], image[y*s.InW*pixel:(y+1)*s.InW*pixel], pixel, stride)
			}
			for ox := range s.OutW() {
				clear(rows[ox*stride+s.PatchSize() : (ox+1)*stride])
			}
		}
	}
}

// Col2im is the adjoint of Im2col: it adds up in dx, for every input, all
// elements of patches that Im2col would have copied from it. The rows of patches
// are as in Im2col, dx is laid out as x there; elements of dx between InC and
// pixel are set to zero. It panics as Im2col does.
func Col2im[T Float](s ConvShape, dx, patches []T, pixel, batch int) {
	s.checkMaps(len(patches), len(dx), Stride[T](s.PatchSize()), pixel, batch)
	stride, run := Stride[T](s.PatchSize()), s.Kernel*s.InC
	clear(dx[:batch*s.InH*s.InW*pixel])
	for b := range batch {
		image := dx[b*s.InH*s.InW*pixel:]
		for oy := range s.OutH() {
			for ox := range s.OutW() {
				row := patches[:stride]
				patches = patches[stride:]
				for ky := range s.Kernel {
					y, left := oy*s.Stride+ky-s.Padding, ox*s.Stride-s.Padding
					if y >= 0 && y < s.InH {
						scatterRun(s, image[y*s.InW*pixel:], row[ky*run:(ky+1)*run], left, pixel)
					}
				}
			}
		}
	}
}

// inside returns the columns of the kernel, from first to end, that lie inside
// of the image when the kernel starts in column left.
func (s ConvShape) inside(left int) (first, end int) {
	first, end = max(0, -left), min(s.Kernel, s.InW-left)
	return first, max(first, end)
}

// gatherRow copies one row of the kernel for all positions of a row of outputs.
// Inside of the image, compact pixels are one run.
func gatherRow[T Float](s ConvShape, dst, row []T, pixel, stride int) {
	run := s.Kernel * s.InC
	for ox := range s.OutW() {
		left, part := ox*s.Stride-s.Padding, dst[ox*stride:][:run]
		switch {
		case left < 0 || left+s.Kernel > s.InW:
			gatherEdge(s, part, row, left, pixel)
		case pixel == s.InC:
			copy(part, row[left*pixel:])
		default:
			from := row[left*pixel:]
			for kx := range s.Kernel {
				copy(part[kx*s.InC:(kx+1)*s.InC], from[kx*pixel:])
			}
		}
	}
}

// gatherEdge copies a row of the kernel, which starts in column left, where a
// part of it lies outside of the image.
func gatherEdge[T Float](s ConvShape, dst, row []T, left, pixel int) {
	clear(dst)
	first, end := s.inside(left)
	for kx := first; kx < end; kx++ {
		copy(dst[kx*s.InC:(kx+1)*s.InC], row[(left+kx)*pixel:])
	}
}

// scatterRun adds a row of the kernel to a row of the image.
func scatterRun[T Float](s ConvShape, row, src []T, left, pixel int) {
	first, end := s.inside(left)
	for kx := first; kx < end; kx++ {
		to := row[(left+kx)*pixel:][:s.InC]
		for c, v := range src[kx*s.InC : (kx+1)*s.InC] {
			to[c] += v
		}
	}
}

func (s ConvShape) checkMaps(patches, image, stride, pixel, batch int) {
	s.check()
	if pixel < s.InC || batch < 0 {
		panic("kernel: Im2col, Col2im: pixel or batch too small")
	}
	if patches < batch*s.Positions()*stride || image < batch*s.InH*s.InW*pixel {
		panic("kernel: Im2col, Col2im: slice too short")
	}
}
