package stability

import "math"

// Verdict answers whether SGD is linearly stable.
type Verdict int

const (
	Undecided Verdict = iota
	Stable
	Unstable
)

// Order is what is known of linear stability of order k at one learning rate.
type Order struct {
	K int
	// EtaLower and EtaUpper bracket the order's threshold.
	EtaLower, EtaUpper float64
	// Exact says that the bracket is proven and closed up to 1e-6, or for k = 2
	// up to what the Bracket promises.
	Exact bool
	// Stable is Stable for η ≤ EtaLower, Unstable for η > EtaUpper.
	Stable Verdict
	// Margin is threshold/η: EtaLower/η where stable, EtaUpper/η where unstable,
	// NaN where undecided.
	Margin float64
}

// Evidence is what Orders concludes from. Entries that are missing in a map and
// brackets that are zero say nothing.
type Evidence struct {
	// LambdaMax is λ_max(H).
	LambdaMax float64
	// MeanSquare is the bracket of η*_var, AllOrders that of η*_∞.
	MeanSquare, AllOrders Bracket
	// Known are proven brackets of thresholds of orders k ≥ 3 on the whole space of
	// parameters (OrderThreshold).
	Known map[int]Bracket
	// Upper holds upper bounds by order: the least threshold over directions
	// and coordinates.
	Upper map[int]float64
	// WholeSpace says that the gradients span all of the parameters' space, w = r.
	WholeSpace bool
}

// exactGap is the largest EtaUpper/EtaLower − 1 of an order that is exact.
const exactGap = 1e-6

// Orders brackets the thresholds of the orders 1 … highest and compares eta with
// them. k = 1 is 2/λ_max(H). Even orders fall with k (Lyapunov's inequality),
//
//	η*_∞ ≤ … ≤ η*_4 ≤ η*_2 ≤ 2/λ_max(H),
//
// so that each lower bound holds for all smaller even orders and each upper
// bound for all larger ones. Odd k ≥ 3 are stable where order k + 1 is. They are
// unstable where order k − 1 is, unless the gradients span the whole space: a
// component of W in the complement of the span never moves, and Sym^k contains
// Sym^{k−1}(span) times it. In the whole space order k implies order 1 only.
func Orders(eta float64, highest int, e Evidence) []Order {
	if highest < 1 {
		panic("stability: no orders")
	}
	lower, upper := e.even(highest + 1)
	// A bracket that is closed and not exact is that of other batches than those of
	// the training (see Bracket.of), and so is everything here.
	substitute := !e.MeanSquare.Exact && e.MeanSquare.Upper > 0 && closed(e.MeanSquare.Lower, e.MeanSquare.Upper)
	orders := make([]Order, highest)
	for k := 1; k <= highest; k++ {
		o := Order{K: k}
		switch {
		case k == 1:
			o.EtaLower, o.EtaUpper, o.Exact = 2/e.LambdaMax, 2/e.LambdaMax, true
		case k%2 == 0:
			o.EtaLower, o.EtaUpper = lower[k], upper[k]
			o.Exact = k == 2 && e.MeanSquare.Exact || closed(lower[k], upper[k])
		default:
			o.EtaLower, o.EtaUpper = e.odd(k, lower[k+1], upper[k-1])
			o.Exact = closed(o.EtaLower, o.EtaUpper)
		}
		o.Exact = o.Exact && !substitute
		o.decide(eta)
		orders[k-1] = o
	}
	return orders
}

func closed(lower, upper float64) bool { return lower == upper || upper/lower-1 <= exactGap }

// even returns the bounds of the even orders up to highest, by order.
func (e Evidence) even(highest int) (lower, upper map[int]float64) {
	highest += highest % 2
	lower, upper = map[int]float64{highest + 2: e.AllOrders.Lower}, map[int]float64{0: 2 / e.LambdaMax}
	for k := 2; k <= highest; k += 2 {
		upper[k] = min(upper[k-2], e.upper(k))
	}
	for k := highest; k >= 2; k -= 2 {
		lower[k] = max(lower[k+2], e.lower(k))
	}
	// What remains is rounding.
	for k := range upper {
		lower[k] = min(lower[k], upper[k])
	}
	return lower, upper
}

func (e Evidence) upper(k int) float64 {
	if k == 2 && e.MeanSquare.Exact {
		return e.MeanSquare.Upper
	}
	bound := math.Inf(1)
	if k == 2 && e.MeanSquare.Upper > 0 {
		bound = e.MeanSquare.Upper
	}
	if known, ok := e.Known[k]; ok {
		bound = min(bound, known.Upper)
	}
	if direct, ok := e.Upper[k]; ok {
		bound = min(bound, direct)
	}
	return bound
}

func (e Evidence) lower(k int) float64 {
	if k == 2 {
		return e.MeanSquare.Lower
	}
	return e.Known[k].Lower
}

// odd returns the bounds of odd k ≥ 3 from those of its even neighbours.
func (e Evidence) odd(k int, next, previous float64) (lower, upper float64) {
	if e.WholeSpace {
		previous = 2 / e.LambdaMax
	}
	upper = min(previous, e.upper(k))
	return min(max(next, e.lower(k)), upper), upper
}

func (o *Order) decide(eta float64) {
	switch {
	case eta <= o.EtaLower:
		o.Stable, o.Margin = Stable, o.EtaLower/eta
	case eta > o.EtaUpper:
		o.Stable, o.Margin = Unstable, o.EtaUpper/eta
	default:
		o.Margin = math.NaN()
	}
}
