package stability

import (
	"fmt"
	"math"

	"sobolev/internal/kernel"
	"sobolev/linop"
)

// Tensor is T_k = E_S[(I − (η/B) Σ_{i∈S} H_i)^{⊗k}] on the symmetric tensors of
// order k over the span, Sym^k, as a polynomial in η. Its matrix is in the
// orthonormal basis of the symmetrised products of k coordinate vectors, each
// times √(k!/Π_j α_j!), where α_j counts coordinate j.
type Tensor struct {
	K int
	// Size is the dimension of Sym^k, C(r+k−1, k).
	Size int
	// coefficients[m], Size×Size, belongs to η^m.
	coefficients [][]float64
}

// Limits of the dense tensors: dimensions, and multiply-adds to make one.
const (
	tensorSize = 2000
	tensorWork = 2e10
)

// Tensor returns T_k for batches of the given size: for k ≤ 4 from the central
// moments of a batch, otherwise, or where that is less work, from all batches. It
// is an error if Sym^k has more than 2,000 dimensions or the sum too many terms.
// For Epochs it is that of WithoutReplacement.
func (s *Span) Tensor(k int, sampling Sampling, batch int) (*Tensor, error) {
	t, err := s.newTensor(k, sampling, batch)
	if err != nil {
		return nil, err
	}
	closed, all := s.closedWork(t), s.batchWork(t, sampling, batch)
	switch {
	case min(closed, all) > tensorWork:
		return nil, fmt.Errorf("tensor T_%d of %d samples on %d dimensions takes %.3g multiply-adds; at most %.0g", k, s.N, t.Size, min(closed, all), float64(tensorWork))
	case all <= closed:
		s.addBatches(t, sampling, batch)
	default:
		s.addMoments(t, sampling, batch)
	}
	return t, nil
}

func (s *Span) newTensor(k int, sampling Sampling, batch int) (*Tensor, error) {
	sampling.check(s.N, batch)
	if k < 1 {
		return nil, fmt.Errorf("tensor T_k of order %d; need k ≥ 1", k)
	}
	size := binomial(s.Rank+k-1, k)
	if size > tensorSize {
		return nil, fmt.Errorf("symmetric tensors of order %d over %d dimensions have %.4g; dense T_k need at most %d", k, s.Rank, size, tensorSize)
	}
	t := &Tensor{K: k, Size: int(size)}
	for range k + 1 {
		t.coefficients = append(t.coefficients, make([]float64, t.Size*t.Size))
	}
	return t, nil
}

// binomial returns C(n, k), rounded where it is large.
func binomial(n, k int) float64 {
	c := 1.0
	for j := range k {
		c = c * float64(n-j) / float64(j+1)
	}
	return math.Round(c)
}

// At returns the matrix of T_k at learning rate η, Size×Size.
func (t *Tensor) At(eta float64) []float64 {
	sum := make([]float64, t.Size*t.Size)
	for m := t.K; m >= 0; m-- {
		kernel.Scale(sum, eta)
		kernel.Axpy(sum, 1, t.coefficients[m])
	}
	return sum
}

// Spectrum returns the eigenvalues of T_k at learning rate η in ascending order. The
// spectral radius on Sym^k is the largest of their sizes; for even k it is the last
// (Krein and Rutman).
func (t *Tensor) Spectrum(eta float64) ([]float64, error) {
	if t.Size == 0 {
		return nil, nil
	}
	values, _, err := linop.EigenSym(t.Size, t.At(eta))
	return values, err
}

// symmetricBasis is the basis of Sym^k for one k.
type symmetricBasis struct {
	// indices[a] are the k coordinates of element a, ascending.
	indices [][]int
	// lower[a] has one entry for each different coordinate of a.
	lower [][]lowered
}

// lowered says what is left when one coordinate is taken out of an element.
type lowered struct {
	coordinate int
	// root is the square root of how often the coordinate is there.
	root float64
	// element is the place of the rest in the basis of Sym^{k−1}.
	element int
}

// symmetricBases returns the bases of Sym^0 … Sym^k over r dimensions.
func symmetricBases(r, k int) []symmetricBasis {
	bases := []symmetricBasis{{indices: [][]int{{}}}}
	place := map[string]int{"[]": 0}
	for range k {
		below, next := bases[len(bases)-1], map[string]int{}
		var b symmetricBasis
		for _, head := range below.indices {
			first := 0
			if len(head) > 0 {
				first = head[len(head)-1]
			}
			for j := first; j < r; j++ {
				index := append(append([]int{}, head...), j)
				next[fmt.Sprint(index)] = len(b.indices)
				b.indices = append(b.indices, index)
				b.lower = append(b.lower, lowerings(index, place))
			}
		}
		bases, place = append(bases, b), next
	}
	return bases
}

func lowerings(index []int, place map[string]int) []lowered {
	var all []lowered
	for at := 0; at < len(index); {
		end := at
		for end < len(index) && index[end] == index[at] {
			end++
		}
		rest := append(append([]int{}, index[:at]...), index[at+1:]...)
		all = append(all, lowered{index[at], math.Sqrt(float64(end - at)), place[fmt.Sprint(rest)]})
		at = end
	}
	return all
}
