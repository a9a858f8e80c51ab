// Package stability decides the linear stability of SGD at a minimum that
// interpolates its data, from numbers alone: the Gram matrix K = J Jᵀ of the
// per-sample gradients, the learning rate, the batch size and the way batches
// are drawn (Ma & Ying, 2021, section 3).
//
// Near such a minimum SGD is W ← (I − (η/B) Σ_{i∈S} H_i) W with H_i = J_iᵀ J_i,
// and T_k = E_S[(I − (η/B) Σ_{i∈S} H_i)^{⊗k}] moves the k-th moments of W on.
// Curvature and learning rates here are those of one loss: for a loss that is s
// times ½‖f−y‖² the matrix K carries the factor s.
package stability

import (
	"errors"
	"math"
	"slices"

	"sobolev/linop"
)

// Gram is the matrix K = J Jᵀ of n samples with c outputs each.
type Gram struct {
	N, C int
	// K is nc×nc, row-major and symmetric. Row i·c+o belongs to output o of sample i.
	K []float64
	// Workers is the number of goroutines that share the products of its Span; 0 is 1. No
	// bit depends on it.
	Workers int
}

// rankTolerance: eigenvalues of K below this share of the largest are rounding.
const rankTolerance = 1e-12

// Span holds the per-sample gradients in an orthonormal basis of their span, in
// which H = (1/n) Σ H_i is diagonal: K = U Λ Uᵀ, Q = U Λ^{1/2} with the columns of
// eigenvalues above 1e-12·λ_max(K), so that J_i has the same products as the c
// rows of Q that belong to sample i, and H = Λ/n.
type Span struct {
	N, C int
	// Rank is r, the dimension of the span.
	Rank int
	// Lambda holds the r eigenvalues of K that stay, largest first.
	Lambda []float64
	// Q is nc×r, row-major.
	Q []float64
	// Workers is that of Gram.
	Workers int
}

// NewSpan reduces g to the span of its gradients.
func NewSpan(g Gram) (*Span, error) {
	m := g.N * g.C
	if m == 0 || len(g.K) != m*m {
		panic("stability: K is not nc×nc")
	}
	if slices.ContainsFunc(g.K, func(v float64) bool { return math.IsNaN(v) || math.IsInf(v, 0) }) {
		return nil, errors.New("the Gram matrix has elements that are not finite")
	}
	values, vectors, err := linop.EigenSym(m, g.K)
	if err != nil {
		return nil, err
	}
	s := &Span{N: g.N, C: g.C, Workers: g.Workers}
	for j := m - 1; j >= 0 && values[j] > rankTolerance*values[m-1]; j-- {
		s.Lambda = append(s.Lambda, values[j])
	}
	s.Rank = len(s.Lambda)
	s.Q = make([]float64, m*s.Rank)
	for j, l := range s.Lambda {
		root, v := math.Sqrt(l), vectors[(m-1-j)*m:(m-j)*m]
		for i, u := range v {
			s.Q[i*s.Rank+j] = root * u
		}
	}
	return s, nil
}
