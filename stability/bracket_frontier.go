package stability

import "math"

// productFrontier brackets η*_var for further batch sizes: the products that one batch
// size took serve all, since only p, the variance of batches, differs.
type productFrontier struct {
	Products
	sampling Sampling
	krylov   *krylov
	turned   turnedBlocks
	vectors  []rayleigh
	norm     float64 // max_i ‖H_i‖
}

// brackets returns those of Products.Frontier, in its order: MeanSquareBounds with the
// vectors of one batch size, and what the brackets say of each other, as η*_var does not
// fall with B. span is the problem compressed to the Krylov space.
func (f *productFrontier) brackets(span *Span, memory int64) ([]Bracket, error) {
	compressed, err := span.Frontier(f.sampling, f.Frontier, memory)
	if err != nil { // for want of memory, of which MeanSquareBounds warns
		compressed = nil
	}
	found := make([]Bracket, len(f.Frontier))
	for i, batch := range f.Frontier {
		if found[i], err = f.bracket(batch); err != nil {
			return nil, err
		}
		if compressed != nil {
			found[i].Upper = min(found[i].Upper, compressed[i].Upper)
		}
		found[i].Lower = min(found[i].Lower, found[i].Upper)
		found[i].Value = found[i].Upper
	}
	narrow(found, ascending(f.Frontier))
	for i, batch := range f.Frontier {
		found[i].Exact = found[i].Upper/found[i].Lower-1 <= 1e-6
		found[i] = found[i].of(f.sampling, f.N, batch)
	}
	return found, nil
}

// bracket is that of one batch size without the compression.
func (f *productFrontier) bracket(batch int) (Bracket, error) {
	p := f.sampling.BatchVariance(f.N, batch)
	value, residual, _ := f.krylov.ritz()
	b := Bracket{Upper: math.Min(2/value, f.traceBound(p, f.krylov))}
	for _, v := range f.vectors {
		b.Upper = math.Min(b.Upper, v.bound(p))
	}
	proposition1, err := f.proposition1Bound(p, f.krylov, f.turned)
	b.Lower = math.Max(SimpleThreshold(value+residual, f.norm, f.N, f.sampling, batch), 2/proposition1)
	return b, err
}
