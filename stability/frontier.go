package stability

import (
	"cmp"
	"slices"
)

// Frontier returns η*_var(B) for several batch sizes, in their order, from one
// decomposition: each starts with the matrix that proved the one before. As η*_var
// does not fall with B, every Lower holds for larger batches and every Upper for
// smaller ones too. Everything else is as in MeanSquareThreshold.
func (s *Span) Frontier(sampling Sampling, batches []int, memory int64) ([]Bracket, error) {
	order := ascending(batches)
	for _, b := range batches {
		sampling.check(s.N, b)
	}
	found := make([]Bracket, len(batches))
	walk := &frontierWalk{Span: s, sampling: sampling}
	if sampling == Epochs {
		walk.sampling = WithoutReplacement
	}
	for _, j := range order {
		var err error
		if found[j], err = walk.threshold(batches[j], memory); err != nil {
			return nil, err
		}
	}
	narrow(found, order)
	for j := range found {
		found[j] = found[j].of(sampling, s.N, batches[j])
	}
	return found, nil
}

// ascending returns the indices of the batch sizes in their order.
func ascending(batches []int) []int {
	order := make([]int, len(batches))
	for j := range order {
		order[j] = j
	}
	slices.SortStableFunc(order, func(i, j int) int { return cmp.Compare(batches[i], batches[j]) })
	return order
}

// narrow lets every Lower hold for the larger batches and every Upper for the smaller
// ones; order has the brackets' batch sizes ascending.
func narrow(found []Bracket, order []int) {
	for j := 1; j < len(order); j++ {
		b := &found[order[j]]
		b.Lower = min(max(b.Lower, found[order[j-1]].Lower), b.Upper)
	}
	for j := len(order) - 2; j >= 0; j-- {
		b := &found[order[j]]
		b.Upper = max(min(b.Upper, found[order[j+1]].Upper), b.Lower)
		b.Value = b.Upper
	}
}

// frontierWalk keeps the map and the last certificate from one batch to the next.
type frontierWalk struct {
	*Span
	sampling Sampling
	a        *momentMap
	start    []float64
}

func (f *frontierWalk) threshold(batch int, memory int64) (Bracket, error) {
	p := f.sampling.BatchVariance(f.N, batch)
	if f.Rank == 0 || p == 0 {
		return f.MeanSquareThreshold(f.sampling, batch, memory)
	}
	columns, err := f.columns(memory)
	if err != nil {
		return Bracket{}, err
	}
	if f.a == nil {
		f.a = f.newMomentMap(f.sampling, batch)
		f.start = f.a.identity()
	}
	f.a.p = p
	result := f.a.largest(f.start, f.thresholdGap(), columns)
	if bracket := f.thresholdOf(result); bracket.Exact {
		f.start = result.g
		return bracket, nil
	}
	// A start without a proof may not be in the cone.
	f.start = f.a.identity()
	return f.thresholdOf(f.a.largest(f.start, f.thresholdGap(), columns)), nil
}
