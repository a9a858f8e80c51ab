package curvature

import (
	"math"

	"sobolev/linop"
)

// SampleBlocks returns s K_ii = s R_i J_i (R_i J_i)ᵀ of every sample, n×c×c row-major: their
// eigenvalues are those of H_i, but for zeros. They are computed once, from the factors of
// Gradients where these are held. It fails where memory does not suffice.
func (p *Point) SampleBlocks() ([]float64, error) {
	if p.blocks != nil {
		return p.blocks, nil
	}
	var blocks []float64
	if p.jacobian != nil && p.layers == nil {
		blocks = p.jacobian.Blocks()
	} else {
		var err error
		if blocks, err = p.net.GramBlocks(p.data, p.loss, p.layers, p.memory); err != nil {
			return nil, err
		}
	}
	for i := range blocks {
		blocks[i] *= p.Scale()
	}
	p.blocks = blocks
	return blocks, nil
}

// Gram returns s K = s R J (R J)ᵀ, nc×nc row-major with row i·c+o for output o of sample i:
// its non-zero eigenvalues are n times those of H. It fails where memory does not
// suffice.
func (p *Point) Gram() ([]float64, error) {
	k, err := p.net.Gram(p.data, p.loss, p.layers, p.memory)
	for i := range k {
		k[i] *= p.Scale()
	}
	return k, err
}

// Samples holds exact statistics of the curvatures H_i of single samples.
type Samples struct {
	// Norms holds ‖H_i‖ of every sample, the largest eigenvalue.
	Norms []float64
	// MaxNorm is the largest of them.
	MaxNorm float64
	// MeanFrobeniusSquared is (1/n) Σ_i ‖H_i‖_F².
	MeanFrobeniusSquared float64
	// Trace is Tr H = (1/n) Σ_i Tr H_i, for squared errors (s/n) Σ_i Σ_o ‖∇f_o(x_i)‖².
	Trace float64
}

// SampleStatistics computes them from SampleBlocks, and fails as that does, or
// where an element is not finite.
func (p *Point) SampleStatistics() (Samples, error) {
	blocks, err := p.SampleBlocks()
	if err != nil {
		return Samples{}, err
	}
	n, c := p.Samples(), p.Outputs()
	s := Samples{Norms: make([]float64, n)}
	for i := range s.Norms {
		block := blocks[i*c*c : (i+1)*c*c]
		values, _, err := linop.EigenSym(c, block)
		if err != nil {
			return Samples{}, err
		}
		s.Norms[i] = math.Max(0, values[c-1])
		s.MaxNorm = math.Max(s.MaxNorm, s.Norms[i])
		for o := range c {
			s.Trace += block[o*c+o] / float64(n)
		}
		s.MeanFrobeniusSquared += squares(block) / float64(n)
	}
	return s, nil
}

func squares(v []float64) float64 {
	sum := 0.0
	for _, x := range v {
		sum += x * x
	}
	return sum
}

// rankTolerance: eigenvalues of K below this share of the largest are rounding.
const rankTolerance = 1e-12

// Spectrum returns the eigenvalues of H above 1e-12 of the largest, descending, from
// the matrix that Gram returns: as many as the rank of J. It takes O((nc)³)
// operations, and fails if an element is not finite.
func (p *Point) Spectrum(gram []float64) ([]float64, error) {
	m := p.Samples() * p.Outputs()
	values, _, err := linop.EigenSym(m, gram)
	if err != nil {
		return nil, err
	}
	var spectrum []float64
	for j := m - 1; j >= 0 && values[j] > rankTolerance*values[m-1]; j-- {
		spectrum = append(spectrum, values[j]/float64(p.Samples()))
	}
	return spectrum, nil
}
