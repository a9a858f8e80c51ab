package stability

import (
	"math"
	"math/rand/v2"
	"testing"

	"sobolev/linop"
)

// sharpestBatch is max_S λ_max(H_S) over all batches, from the span.
func sharpestBatch(t testing.TB, s *Span, sampling Sampling, batch int) float64 {
	t.Helper()
	worst := 0.0
	r := s.Rank
	eachBatch(s.N, batch, sampling, func(samples []int, _ float64) {
		h := make([]float64, r*r)
		for _, i := range samples {
			for row := i * s.C; row < (i+1)*s.C; row++ {
				for a := range r {
					for b := range r {
						h[a*r+b] += s.Q[row*r+a] * s.Q[row*r+b] / float64(batch)
					}
				}
			}
		}
		values, _, err := linop.EigenSym(r, h)
		if err != nil {
			t.Fatal(err)
		}
		worst = max(worst, values[r-1])
	})
	return worst
}

// Enumeration against another one, in the span and of all batches, with
// replacement too; and the bracket around the exact value.
func TestAllOrdersEnumerated(t *testing.T) {
	rng := rand.New(rand.NewPCG(41, 0))
	found, problems := 0, 0
	for range 60 {
		n, c := 1+rng.IntN(7), 1+rng.IntN(3)
		g := gramOf(randomGradients(rng, n, c, 8, 1+rng.IntN(8)), n, c, 8)
		s := newSpan(t, g)
		batch, sampling := 1+rng.IntN(n), Sampling(rng.IntN(3))
		if sampling == WithReplacement && math.Pow(float64(n), float64(batch)) > 5000 {
			continue
		}
		exact := 2 / sharpestBatch(t, s, sampling, batch)
		b := AllOrdersThreshold(g, s.Lambda[0]/float64(n), sampling, batch)
		if !(math.Abs(b.Value/exact-1) <= 1e-11) || b.Exact != (sampling != Epochs || 2*batch > n) || b.Lower != b.Upper {
			t.Errorf("n=%d c=%d B=%d %v: %+v, want %v", n, c, batch, sampling, b, exact)
		}
		if sampling == WithReplacement {
			continue
		}
		a := newBatchSharpness(g, batch)
		// The enumeration does not lean on the search.
		if poor := 2 / a.enumerate(0.2/exact); !(math.Abs(poor/exact-1) <= 1e-11) {
			t.Errorf("n=%d c=%d B=%d: enumeration from a poor batch %v, want %v", n, c, batch, poor, exact)
		}
		lower, upper := 2/a.bound(s.Lambda[0]/float64(n)), 2/a.search()
		if !(lower <= exact*(1+1e-12) && exact*(1-1e-12) <= upper) {
			t.Errorf("n=%d c=%d B=%d: bracket %v … %v, exact %v", n, c, batch, lower, upper, exact)
		}
		problems++
		if upper <= exact*(1+1e-6) {
			found++
		}
	}
	if !(10*found >= 9*problems) {
		t.Errorf("the search found the sharpest batch in %d of %d problems", found, problems)
	}
}

func TestAllOrdersGolden(t *testing.T) {
	for fixture, size := range map[string][2]int{"fnn-tiny": {10, 3}, "fnn-scalar": {8, 1}} {
		g := loadGoldenProblem(t, fixture, size[0], size[1])
		for _, want := range g.Thresholds {
			problem := g
			if want.Problem == "output 0 only (C=1, a_i=J_i[0])" {
				problem = g.output0()
			}
			if want.EtaInf == 0 {
				continue
			}
			k := problem.gram()
			b := AllOrdersThreshold(k, newSpan(t, k).Lambda[0]/float64(g.n), replacement(want.Replacement), want.B)
			if !(math.Abs(b.Value/want.EtaInf-1) <= 1e-11) {
				t.Errorf("%s %s B=%d: %v, want %v", fixture, want.Problem, want.B, b.Value, want.EtaInf)
			}
		}
	}
	// The lower bounds that theory and reference state for this problem.
	g := loadGoldenProblem(t, "fnn-scalar", 8, 1)
	for batch, want := range map[int]float64{1: 0.321, 2: 0.368, 4: 0.436} {
		if lower := 2 / newBatchSharpness(g.gram(), batch).bound(g.Hessian.LambdaMax); !(math.Abs(lower-want) <= 5e-4) {
			t.Errorf("B=%d: lower bound %v, want %v", batch, lower, want)
		}
	}
}

// Where there are too many batches the bracket holds for batches of any kind.
func TestAllOrdersBracket(t *testing.T) {
	rng := rand.New(rand.NewPCG(42, 0))
	const n, c, batch = 60, 2, 9
	g := gramOf(randomGradients(rng, n, c, 30, 30), n, c, 30)
	s := newSpan(t, g)
	for _, sampling := range []Sampling{WithoutReplacement, Epochs} {
		b := AllOrdersThreshold(g, s.Lambda[0]/n, sampling, batch)
		if b.Exact || len(b.Warnings) != 1+int(sampling)/2 || !(b.Lower < b.Upper && b.Value == b.Upper) {
			t.Fatalf("%v: %+v", sampling, b)
		}
		a := newBatchSharpness(g, batch)
		for range 300 {
			samples := largestOf(s.Curvatures(randomUnit(s.Rank, rng)), batch)
			eta := 2 / a.of(samples)
			if !(eta >= b.Lower) {
				t.Errorf("a batch has %v, below %v", eta, b.Lower)
			}
			if !(eta >= b.Upper*(1-1e-9)) {
				t.Errorf("a random direction's batch has %v, below the search's %v", eta, b.Upper)
			}
		}
	}
	if b := AllOrdersThreshold(Gram{N: 3, C: 1, K: make([]float64, 9)}, 0, WithoutReplacement, 2); !math.IsInf(b.Lower, 1) || !b.Exact {
		t.Errorf("no gradients: %+v", b)
	}
	// Samples without gradients beside some with.
	k := make([]float64, 60*60)
	k[5*60+5], k[6*60+6] = 4, 1
	if b := AllOrdersThreshold(Gram{N: 60, C: 1, K: k}, 4.0/60, WithoutReplacement, 20); !(math.Abs(b.Value-10) <= 1e-12) {
		t.Errorf("two samples of sixty: %+v, want 2/(4/20)", b)
	}
}

// η ≤ η*_∞ is stable for every order: no order's exact threshold, nor any
// direction's, is below.
func TestAllOrdersBelowEveryOrder(t *testing.T) {
	rng := rand.New(rand.NewPCG(43, 0))
	for range 15 {
		s, j, w, sampling, batch := smallProblem(t, rng)
		all := AllOrdersThreshold(gramOf(j, s.N, s.C, w), s.Lambda[0]/float64(s.N), sampling, batch)
		for k := 2; k <= 4; k++ {
			if exact := lastStable(t, s, k, sampling, batch); !(all.Lower <= exact*(1+1e-9)) {
				t.Errorf("k=%d: η*_∞ ≥ %v, exact %v", k, all.Lower, exact)
			}
		}
		for k := 1; k <= MaxOrder; k++ {
			if found, _ := s.DirectionalThreshold(k, sampling, batch); !(all.Lower <= found*(1+1e-9)) {
				t.Errorf("k=%d: η*_∞ ≥ %v, a direction has %v", k, all.Lower, found)
			}
		}
	}
}

func TestNextSubsetVisitsAll(t *testing.T) {
	for n := 1; n <= 7; n++ {
		for b := 1; b <= n; b++ {
			seen := map[int]bool{}
			samples := everySample(b)
			for more := true; more; more = nextSubset(samples, n) {
				mask := 0
				for _, i := range samples {
					mask |= 1 << i
				}
				seen[mask] = true
			}
			if want := math.Round(math.Exp(logChoose(n, b))); float64(len(seen)) != want {
				t.Errorf("%d of %d: %d subsets, want %v", b, n, len(seen), want)
			}
		}
	}
}

// Orders against exact thresholds of small problems at learning rates around
// them: a verdict is never wrong, and thresholds are inside their brackets.
func TestOrdersAreRight(t *testing.T) {
	rng := rand.New(rand.NewPCG(44, 0))
	decided := 0
	for range 15 {
		s, j, w, sampling, batch := smallProblem(t, rng)
		e := Evidence{
			LambdaMax: s.Lambda[0] / float64(s.N), Upper: map[int]float64{}, WholeSpace: s.Rank == w,
			AllOrders: AllOrdersThreshold(gramOf(j, s.N, s.C, w), s.Lambda[0]/float64(s.N), sampling, batch),
		}
		exact := map[int]float64{}
		for k := 1; k <= 4; k++ {
			exact[k] = lastStable(t, s, k, sampling, batch)
			e.Upper[k], _ = s.DirectionalThreshold(k, sampling, batch)
		}
		e.MeanSquare = Bracket{Value: exact[2], Lower: exact[2], Upper: exact[2] * (1 + 1e-9), Exact: true}
		for _, share := range []float64{0.3, 0.8, 0.97, 1.03, 1.3, 3} {
			eta := share * exact[2]
			for _, o := range Orders(eta, 4, e) {
				if o.K%2 == 0 && !(o.EtaLower <= exact[o.K]*(1+1e-8) && exact[o.K] <= o.EtaUpper*(1+1e-8)) {
					t.Errorf("k=%d: %v outside %v … %v", o.K, exact[o.K], o.EtaLower, o.EtaUpper)
				}
				if o.Stable == Undecided {
					if !math.IsNaN(o.Margin) {
						t.Errorf("undecided with margin %v", o.Margin)
					}
					continue
				}
				decided++
				if stable := stableOn(t, s, o.K, eta, sampling, batch, e.WholeSpace); stable != (o.Stable == Stable) {
					t.Errorf("k=%d η=%v: %+v, exact %v", o.K, eta, o, stable)
				}
				if want := (o.Stable == Stable); (o.Margin >= 1) != want {
					t.Errorf("%+v has a margin on the wrong side", o)
				}
			}
		}
	}
	if decided < 200 {
		t.Errorf("only %d verdicts", decided)
	}
}

// stableOn is stability of order k on the whole space.
func stableOn(t testing.TB, s *Span, k int, eta float64, sampling Sampling, batch int, wholeSpace bool) bool {
	for j := 1; j <= k; j++ {
		if wholeSpace && j < k {
			continue
		}
		if symmetricRadius(t, s, j, eta, sampling, batch) > 1+1e-12 {
			return false
		}
	}
	return true
}

func TestOrdersRules(t *testing.T) {
	e := Evidence{
		LambdaMax:  2,
		MeanSquare: Bracket{Lower: 0.8, Upper: 0.8, Exact: true},
		AllOrders:  Bracket{Lower: 0.4, Upper: 0.5},
		Known:      map[int]Bracket{6: {Lower: 0.6, Upper: 0.62}},
		Upper:      map[int]float64{3: 0.79, 4: 0.9, 5: 0.63, 8: 0.7},
	}
	want := map[int][2]float64{1: {1, 1}, 2: {0.8, 0.8}, 3: {0.6, 0.79}, 4: {0.6, 0.8}, 5: {0.6, 0.63}, 6: {0.6, 0.62}, 7: {0.4, 0.62}, 8: {0.4, 0.62}}
	for _, o := range Orders(0.61, 8, e) {
		if w := want[o.K]; o.EtaLower != w[0] || o.EtaUpper != w[1] {
			t.Errorf("k=%d: %v … %v, want %v", o.K, o.EtaLower, o.EtaUpper, w)
		}
		if verdict := map[bool]Verdict{true: Stable, false: Undecided}[o.K <= 2]; o.Stable != verdict {
			t.Errorf("k=%d: verdict %v", o.K, o.Stable)
		}
		if o.Exact != (o.K <= 2) {
			t.Errorf("k=%d: exact %v", o.K, o.Exact)
		}
	}
	// In the whole space order 3 says nothing of order 2: steps −1.2 and 1.
	e.WholeSpace = true
	e.Upper[3] = 0.95
	if o := Orders(0.9, 3, e)[2]; o.EtaUpper != 0.95 || o.Stable != Undecided {
		t.Errorf("the whole space: %+v", o)
	}
	if o := Orders(0.9, 4, Evidence{LambdaMax: 2}); o[1].Stable != Undecided || o[1].EtaUpper != 1 || o[3].EtaLower != 0 || o[0].Stable != Stable {
		t.Errorf("λ_max alone: %+v", o)
	}
	// A closed bracket that is not exact is that of substitutes for an epoch's batches.
	e.MeanSquare.Exact = false
	for _, o := range Orders(0.61, 8, e) {
		if o.Exact {
			t.Errorf("k=%d is exact where the mean square is not", o.K)
		}
	}
	e.LambdaMax = math.NaN()
	if o := Orders(0.9, 1, e)[0]; o.Stable != Undecided || !math.IsNaN(o.Margin) {
		t.Errorf("NaN decides: %+v", o)
	}
}

// M in {−1.2, 1} with equal chances: order 3 is stable, order 2 is not.
func TestOddOrderWithoutTheEvenBelow(t *testing.T) {
	q := []float64{0, 2.2}
	if second, third := ScalarThreshold(q, 2, WithoutReplacement, 1), ScalarThreshold(q, 3, WithoutReplacement, 1); !(second < 1 && third > 1) {
		t.Errorf("thresholds %v and %v around η = 1", second, third)
	}
}
