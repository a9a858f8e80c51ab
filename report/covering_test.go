package report

import (
	"cmp"
	"math"
	"slices"
	"strings"
	"testing"

	"gonum.org/v1/plot/vg"
	"pgregory.net/rapid"

	"sobolev/rundir"
)

// rateOf is an exact power law δ = 6 (n/200)^exponent of 200, 100, … samples,
// with intervals of ±3% and of ±0.01 for the exponent.
func rateOf(exponent float64, levels int) *rundir.CoverRate {
	number := func(v float64) rundir.Number { return rundir.Number(v) }
	rate := &rundir.CoverRate{Epsilon: 0.1, Exponent: rundir.Estimate{Value: number(exponent), SE: 0.005,
		CI95: [2]rundir.Number{number(exponent - 0.01), number(exponent + 0.01)}, Draws: 5, Seed: 3}}
	for j := range levels {
		n := 200 >> j
		radius := 6 * math.Pow(float64(n)/200, exponent)
		rate.Levels = append(rate.Levels, rundir.RateLevel{N: n, Radius: number(radius), CI95: [2]rundir.Number{number(0.97 * radius), number(1.03 * radius)}})
	}
	return rate
}

// coveredRun is a run of two points, of which the second has the rate.
func coveredRun(rate *rundir.CoverRate) *Report {
	cfg := gridConfig([]float64{0.1}, []int{20}, 2)
	rs := records(cfg)
	rs[1].Result.Geometry = &rundir.Geometry{Dimension: 9.9, DimensionCI95: [2]rundir.Number{8.4, 11.8}, Rate: rate}
	return fromRecords(cfg, rs, false, fewDraws)
}

func TestCoveringFigure(t *testing.T) {
	f, svg := figureNamed(t, coveredRun(rateOf(-0.1, 4)), "covering")
	// 4 radii, and for k = 1, 2, 3 and 6 the three sizes after the first.
	if n, rings := filled(svg, circle); n != 16 || rings != 0 {
		t.Errorf("%d filled and %d hollow markers, want 16 and 0", n, rings)
	}
	for _, text := range []string{">exponent −1/D = −0.100 [−0.110, −0.0900]<", ">D = 10.0 [9.09, 11.1]<", ">TwoNN: D = 9.90 [8.40, 11.8]   (95% intervals)<",
		">training samples n<", ">k=1<", ">k=2<", ">k=3<", ">k=6<", ">falls<", ">25<", ">200<"} {
		if !strings.Contains(svg, text) {
			t.Errorf("no %q in the figure", text)
		}
	}
	for _, text := range []string{"share ε = 0.1 of", "mean over 5 random permutations", "relative to n = 25", "if and only if D < 2k. By the interval of the exponent it grows for k = 1, 2, 3, it falls for k = 6.",
		"k = 6 is the smallest", "η = 0.1, B = 20, repetition 2"} {
		if !strings.Contains(f.caption, text) {
			t.Errorf("no %q in %q", text, f.caption)
		}
	}
	// D = 5 [4.76, 5.26]: order 3 is measured and falls; with D in [3.85, 4.17],
	// order 2 is open.
	f, svg = figureNamed(t, coveredRun(rateOf(-0.2, 3)), "covering")
	if n, rings := filled(svg, circle); n != 9 || rings != 0 || strings.Contains(svg, ">k=4<") {
		t.Errorf("%d filled and %d hollow markers, want 9 and 0, caption %q", n, rings, f.caption)
	}
	f, svg = figureNamed(t, coveredRun(rateOf(-0.25, 3)), "covering")
	if n, rings := filled(svg, circle); n != 7 || rings != 2 || !strings.Contains(f.caption, "open for k = 2 (hollow)") {
		t.Errorf("%d filled and %d hollow markers, want 7 and 2, caption %q", n, rings, f.caption)
	}
	if _, svg := figureNamed(t, coveredRun(nil), "covering"); svg != "" {
		t.Error("a run without a rate has the figure")
	}
}

// Of an exact power law, the term of order k is n^{1/k − 2/D}, which falls if and
// only if D < 2k, and the line goes through all radii.
func TestCoverTerms(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		dimension := rapid.Float64Range(0.3, 60).Draw(t, "D")
		r := coveredRun(rateOf(-1/dimension, rapid.IntRange(2, 5).Draw(t, "levels")))
		c := r.covering()
		if c == nil {
			t.Fatal("no cover")
		}
		smallest := 1
		for !(dimension < 2*float64(smallest)) {
			smallest++
		}
		want := []int{1, 2, 3}
		if smallest > 3 {
			want = append(want, smallest)
		}
		var orders []int
		for _, term := range c.terms {
			orders = append(orders, term.k)
			for i, v := range term.values {
				ratio := float64(c.levels[i].N) / float64(c.levels[0].N)
				if exact := math.Pow(ratio, 1/float64(term.k)-2/dimension); !near(v, exact, 1e-9*exact) {
					t.Fatalf("k = %d at n = %d: %v, want %v", term.k, c.levels[i].N, v, exact)
				}
			}
			last := term.values[len(term.values)-1]
			if term.trend == falls && !(last < 1) || term.trend == grows && !(last > 1) {
				t.Fatalf("k = %d is said to have trend %d and ends at %v", term.k, term.trend, last)
			}
		}
		// At D = 2k in floating point the neighbours are as right.
		if !slices.Equal(orders, want) && math.Abs(dimension/2-math.Round(dimension/2)) > 1e-9 {
			t.Fatalf("orders %v, want %v", orders, want)
		}
		for i, v := range c.powerLaw(c.sizes()) {
			if radius := float64(c.levels[i].Radius); !near(v, radius, 1e-9*radius) {
				t.Fatalf("the power law is %v at the radius %v", v, radius)
			}
		}
	})
}

func TestFallingOrder(t *testing.T) {
	for exponent, want := range map[float64]int{-0.0857: 6, -1: 1, -0.5: 2, -0.25: 3, -10: 1, math.Inf(-1): 1, 0: 0, 0.1: 0, -1e-9: 0, math.Inf(1): 0} {
		if got := fallingOrder(exponent); got != want {
			t.Errorf("exponent %v: %d, want %d", exponent, got, want)
		}
	}
	if got := fallingOrder(math.NaN()); got != 0 {
		t.Errorf("of no exponent: %d", got)
	}
	nan := math.NaN()
	for _, c := range []struct {
		exponent between
		k        int
		want     trend
	}{{between{-0.3, -0.4, -0.26}, 2, falls}, {between{-0.3, -0.4, -0.2}, 2, open}, {between{-0.1, -0.2, 0.1}, 2, grows},
		{between{0.1, 0.05, 0.2}, 99, grows}, {between{-0.3, nan, nan}, 2, open}, {between{-0.3, -0.4, nan}, 1, grows}} {
		if got := trendOf(c.exponent, c.k); got != c.want {
			t.Errorf("%+v, k = %d: %d, want %d", c.exponent, c.k, got, c.want)
		}
	}
}

func TestApart(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		at := rapid.SliceOfN(rapid.Float64Range(0, 100), 1, 8).Draw(t, "heights")
		slices.SortFunc(at, func(a, b float64) int { return cmp.Compare(b, a) })
		var heights []vg.Length
		for _, v := range at {
			heights = append(heights, vg.Length(v))
		}
		moved := apart(heights, 8, 4)
		for i, y := range moved {
			if !(y >= heights[i] && y >= 4) || i > 0 && !(moved[i-1] >= y+8) {
				t.Fatalf("%v became %v", heights, moved)
			}
		}
	})
	if got := apart([]vg.Length{90, 50, 20}, 8, 4); !slices.Equal(got, []vg.Length{90, 50, 20}) {
		t.Errorf("heights that are apart became %v", got)
	}
}

// oddCovers adds runs whose rates a report must survive.
func oddCovers(runs map[string]*Report) {
	nan, inf := rundir.Number(math.NaN()), rundir.Number(math.Inf(1))
	add := func(name string, exponent float64, levels int, change func(*rundir.CoverRate)) {
		rate := rateOf(exponent, levels)
		if change != nil {
			change(rate)
		}
		runs[name] = coveredRun(rate)
	}
	add("cover", -0.1, 4, nil)
	add("cover that does not shrink", 0, 4, nil)
	add("cover that grows", 0.2, 4, nil)
	add("cover of one level", -0.1, 1, nil)
	add("cover of no level", -0.1, 0, nil)
	add("cover of two levels", -0.1, 2, nil)
	add("cover of equal sizes", -0.1, 3, func(c *rundir.CoverRate) {
		for i := range c.Levels {
			c.Levels[i].N = 7
		}
	})
	add("cover of radius zero", -0.1, 4, func(c *rundir.CoverRate) { c.Levels[0].Radius, c.Levels[0].CI95 = 0, [2]rundir.Number{0, 0} })
	add("cover of no size", -0.1, 4, func(c *rundir.CoverRate) { c.Levels[2].N, c.Levels[3].N = 0, -1 })
	add("cover with open ends", -0.1, 4, func(c *rundir.CoverRate) {
		c.Levels[0].CI95, c.Levels[1].CI95, c.Levels[2].CI95 = [2]rundir.Number{0, inf}, [2]rundir.Number{nan, inf}, [2]rundir.Number{-inf, nan}
		c.Exponent.CI95 = [2]rundir.Number{-inf, inf}
	})
	add("cover without an exponent", -0.1, 4, func(c *rundir.CoverRate) {
		c.Exponent = rundir.Estimate{Value: nan, SE: nan, CI95: [2]rundir.Number{nan, nan}}
		c.Epsilon = nan
	})
	add("cover of infinite exponent", -0.1, 4, func(c *rundir.CoverRate) { c.Exponent.Value = -inf })
	add("cover of extreme exponent", -0.1, 4, func(c *rundir.CoverRate) { c.Exponent.Value = -500 })
	add("cover of extreme radii", -0.1, 4, func(c *rundir.CoverRate) { c.Levels[0].Radius, c.Levels[3].Radius = 1e-140, 1e140 })
	add("cover of tiny exponent", -1e-12, 4, nil)
	huge := coveredRun(rateOf(-0.1, 4))
	huge.solutions[1].Result.Geometry.Dimension = nan
	runs["cover without a dimension"] = huge
	none := coveredRun(rateOf(0.1, 4))
	none.orders = nil
	runs["cover without orders"] = none
}

func TestOddCovers(t *testing.T) {
	runs := map[string]*Report{}
	oddCovers(runs)
	for name, r := range runs {
		f, svg := figureNamed(t, r, "covering") // which looks for NaN
		none := slices.Contains([]string{"cover of one level", "cover of no level", "cover of equal sizes"}, name)
		if none != (svg == "") {
			t.Errorf("%s: a figure of %d bytes", name, len(svg))
		}
		if strings.Contains(f.caption, "NaN") || strings.Contains(f.caption, "Inf") {
			t.Errorf("%s: caption %q", name, f.caption)
		}
	}
	for name, text := range map[string]string{
		"cover that does not shrink": ">D = ∞ [100, ∞]<",
		"cover of radius zero":       ">100<",
		"cover with open ends":       ">D = 10.0 [0, ∞]<",
		"cover without an exponent":  ">exponent −1/D = – [–, –]<",
		"cover without a dimension":  ">D = 10.0 [9.09, 11.1]   (95% intervals)<",
	} {
		if _, svg := figureNamed(t, runs[name], "covering"); !strings.Contains(svg, text) {
			t.Errorf("%s: no %q", name, text)
		}
	}
	f, svg := figureNamed(t, runs["cover of radius zero"], "covering")
	if n, _ := filled(svg, circle); n != 3+4*2 || !strings.Contains(f.caption, "1 subset.") {
		t.Errorf("without one radius: %d markers, caption %q", n, f.caption)
	}
	if f, svg = figureNamed(t, runs["cover without orders"], "covering"); strings.Contains(svg, ">k=") || strings.Contains(f.caption, "Below") {
		t.Errorf("no order has a term: caption %q", f.caption)
	}
	if f, _ = figureNamed(t, runs["cover of tiny exponent"], "covering"); !strings.Contains(f.caption, "falls for no order up to 1000") {
		t.Errorf("D = 1e12: caption %q", f.caption)
	}
}
