package seminorm

import (
	"math"
	"math/cmplx"

	"gonum.org/v1/gonum/mat"
)

// Convolution is the Toeplitz matrix of a convolutional layer, which takes an
// image (in×h×w, flattened) to its pre-activations (out×h'×w', flattened). It is
// never formed. Kernel is [out, in, kernel height, kernel width], row-major, as
// PyTorch has it: a cross-correlation with zero padding.
type Convolution struct {
	Out, In, KernelHeight, KernelWidth int
	Height, Width                      int // of the input image
	Stride, Padding                    int
	Kernel                             []float64
}

func (a *Convolution) check() {
	if len(a.Kernel) != a.Out*a.In*a.KernelHeight*a.KernelWidth || a.Stride < 1 || a.Padding < 0 {
		panic("seminorm: a convolution needs out·in·kh·kw weights, stride ≥ 1 and padding ≥ 0")
	}
	if h, w := a.image(); h < 1 || w < 1 || len(a.Kernel) == 0 {
		panic("seminorm: the kernel of a convolution must fit into the padded image")
	}
}

// image returns the height and width of the output.
func (a *Convolution) image() (h, w int) {
	return (a.Height+2*a.Padding-a.KernelHeight)/a.Stride + 1, (a.Width+2*a.Padding-a.KernelWidth)/a.Stride + 1
}

// Dims returns (out·h'·w', in·h·w).
func (a *Convolution) Dims() (rows, cols int) {
	a.check()
	h, w := a.image()
	return a.Out * h * w, a.In * a.Height * a.Width
}

// Multiplications is that of all weights at all positions.
func (a *Convolution) Multiplications() int {
	h, w := a.image()
	return len(a.Kernel) * h * w
}

// Mul sets y to A x, the convolution.
func (a *Convolution) Mul(y, x []float64) {
	clear(y)
	a.each(func(weight float64, out, in, count int) {
		for range count {
			y[out] += weight * x[in]
			out++
			in += a.Stride
		}
	})
}

// MulTrans sets x to Aᵀ y.
func (a *Convolution) MulTrans(x, y []float64) {
	clear(x)
	a.each(func(weight float64, out, in, count int) {
		for range count {
			x[in] += weight * y[out]
			out++
			in += a.Stride
		}
	})
}

// each visits the entries of A, count at a time: A[out+j, in+j·stride] = weight.
func (a *Convolution) each(visit func(weight float64, out, in, count int)) {
	h, w := a.image()
	for tap, weight := range a.Kernel {
		kx := tap % a.KernelWidth
		ky := tap / a.KernelWidth % a.KernelHeight
		i := tap / (a.KernelWidth * a.KernelHeight) % a.In
		o := tap / (a.KernelWidth * a.KernelHeight * a.In)
		first, last := inside(kx-a.Padding, a.Stride, a.Width, w)
		if weight == 0 || first > last {
			continue
		}
		for oy := range h {
			iy := oy*a.Stride + ky - a.Padding
			if iy < 0 || iy >= a.Height {
				continue
			}
			visit(weight, (o*h+oy)*w+first, (i*a.Height+iy)*a.Width+first*a.Stride+kx-a.Padding, last-first+1)
		}
	}
}

// inside returns the first and last of the positions 0 … count−1 whose pixel,
// position·stride + offset, lies in 0 … size−1.
func inside(offset, stride, size, count int) (first, last int) {
	if offset < 0 {
		first = (-offset + stride - 1) / stride
	}
	if size-1 < offset {
		return first, -1
	}
	return first, min(count-1, (size-1-offset)/stride)
}

// AbsPow returns the convolution with the kernel |K|^p: every entry of A is one
// weight.
func (a *Convolution) AbsPow(p float64) Operator {
	b := *a
	b.Kernel = absPow(a.Kernel, p)
	return &b
}

// SpectralUpper returns an upper value of ‖A‖₂: on a torus too large for the
// kernel to wrap around, A is a block of a circulant matrix, whose norm is the
// largest singular value of the kernel's Fourier transform (an out×in matrix)
// over the torus's frequencies. A stride only removes rows.
func (a *Convolution) SpectralUpper() float64 {
	a.check()
	rows, cols := a.Height+a.KernelHeight-1, a.Width+a.KernelWidth-1
	largest := 0.0
	symbol := make([]complex128, a.Out*a.In)
	for u := range rows {
		// The transform at −(u, v) is the conjugate: half of the torus is enough.
		if 2*u > rows {
			break
		}
		for v := range cols {
			a.transform(symbol, 2*math.Pi*float64(u)/float64(rows), 2*math.Pi*float64(v)/float64(cols))
			largest = max(largest, complexSpectralSquare(symbol, a.Out, a.In))
		}
	}
	return math.Sqrt(largest)
}

// transform evaluates the kernel's Fourier transform at the frequencies (y, x).
func (a *Convolution) transform(symbol []complex128, y, x float64) {
	clear(symbol)
	taps := a.KernelHeight * a.KernelWidth
	for t := range taps {
		phase := cmplx.Rect(1, y*float64(t/a.KernelWidth)+x*float64(t%a.KernelWidth))
		for e := range symbol {
			symbol[e] += complex(a.Kernel[e*taps+t], 0) * phase
		}
	}
}

// complexSpectralSquare returns an upper value of the squared spectral norm of
// an m×n complex matrix: the largest eigenvalue of the smaller Gram matrix G, as
// the real symmetric [Re G, −Im G; Im G, Re G], and a margin for rounding.
func complexSpectralSquare(a []complex128, m, n int) float64 {
	at := func(i, j int) complex128 { return a[i*n+j] }
	if m < n {
		m, n = n, m
		at = func(i, j int) complex128 { return cmplx.Conj(a[j*m+i]) }
	}
	gram := mat.NewSymDense(2*n, nil)
	trace := 0.0
	for p := range n {
		for q := p; q < n; q++ {
			var g complex128
			for i := range m {
				g += cmplx.Conj(at(i, p)) * at(i, q)
			}
			gram.SetSym(p, q, real(g))
			gram.SetSym(n+p, n+q, real(g))
			gram.SetSym(p, n+q, -imag(g))
			gram.SetSym(q, n+p, imag(g))
		}
		trace += gram.At(p, p)
	}
	if !(trace <= math.MaxFloat64) {
		return math.NaN()
	}
	var eigen mat.EigenSym
	if !eigen.Factorize(gram, false) {
		return trace
	}
	values := eigen.Values(nil)
	return values[len(values)-1] + gramMargin(m, 2*n)*trace
}
