package geometry

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// cube draws n uniform points of the unit cube of the given dimension, turned into
// R^ambient by a map that keeps distances.
func cube(n, dimension, ambient int, random *rand.Rand) Points[float64] {
	axes := orthonormal(dimension, ambient, random)
	x := Points[float64]{N: n, D: ambient, X: make([]float64, n*ambient)}
	for i := range n {
		for _, axis := range axes {
			u := random.Float64()
			for j, a := range axis {
				x.X[i*ambient+j] += u * a
			}
		}
	}
	return x
}

func orthonormal(k, d int, random *rand.Rand) [][]float64 {
	var axes [][]float64
	for range k {
		v := make([]float64, d)
		for j := range v {
			v[j] = random.NormFloat64()
		}
		for _, a := range axes {
			var dot float64
			for j := range v {
				dot += a[j] * v[j]
			}
			for j := range v {
				v[j] -= dot * a[j]
			}
		}
		var norm float64
		for _, c := range v {
			norm += c * c
		}
		for j := range v {
			v[j] /= math.Sqrt(norm)
		}
		axes = append(axes, v)
	}
	return axes
}

// sphere draws n uniform points of the unit sphere S^dimension in R^{dimension+1}.
func sphere(n, dimension int, random *rand.Rand) Points[float64] {
	x := gaussian[float64](n, dimension+1, random)
	for i := range n {
		row := x.X[i*x.D : (i+1)*x.D]
		var norm float64
		for _, v := range row {
			norm += v * v
		}
		for j := range row {
			row[j] /= math.Sqrt(norm)
		}
	}
	return x
}

// independentRatios makes neighbours whose distances to the near-th and far-th follow the law
// of GRIDE exactly: distances of a Poisson process in dimension d, one for each
// query, independent.
func independentRatios(m, k int, d float64, random *rand.Rand) *Neighbors {
	n := &Neighbors{M: m + 1, K: k, Distance: make([]float64, (m+1)*k), Index: make([]int32, (m+1)*k)}
	for i := range m {
		volume := 0.0
		for l := range k {
			volume += random.ExpFloat64()
			n.Distance[i*k+l] = math.Pow(volume, 1/d)
			n.Index[i*k+l] = int32(m) // a point without ratio
		}
	}
	return n
}

func TestDimensionOfCubesAndSpheres(t *testing.T) {
	for _, c := range []struct {
		name string
		d    float64
		x    Points[float64]
		// bias is what the estimators miss at this n by boundary and curvature.
		bias float64
	}{
		{"line", 1, cube(3000, 1, 3, generator(1)), 0.03},
		{"square", 2, cube(3000, 2, 10, generator(2)), 0.05},
		{"cube", 4, cube(3000, 4, 20, generator(3)), 0.10},
		{"circle", 1, sphere(3000, 1, generator(4)), 0.03},
		{"sphere", 2, sphere(3000, 2, generator(5)), 0.05},
		{"S⁵", 5, sphere(3000, 5, generator(6)), 0.10},
	} {
		neighbors, err := NearestOthers(c.x, 8, testMemory)
		if err != nil {
			t.Fatal(err)
		}
		two, err := TwoNN(neighbors)
		if err != nil {
			t.Fatal(err)
		}
		statistical := 4 / math.Sqrt(3000)
		for form, v := range map[string]float64{"unbiased": two.Value, "MLE": two.MLE, "linear": two.Linear} {
			if !near(v, c.d, c.bias+statistical) {
				t.Errorf("%s: TwoNN %s %v, want %v", c.name, form, v, c.d)
			}
		}
		for far := 2; far <= 8; far *= 2 {
			g, err := Gride(neighbors, far/2, far)
			if err != nil || !near(g.Value, c.d, c.bias+statistical) || g.Points != 3000 {
				t.Errorf("%s: GRIDE up to %d: %+v, %v", c.name, far, g, err)
			}
		}
	}
}

// The intervals cover D in 95% of repetitions when the ratios are independent.
func TestDimensionIntervals(t *testing.T) {
	const repetitions, d = 1000, 3.5
	random := generator(1)
	covered := map[string]int{}
	var unbiased running
	for range repetitions {
		neighbors := independentRatios(120, 8, d, random)
		two, err := TwoNN(neighbors)
		if err != nil {
			t.Fatal(err)
		}
		unbiased.add(two.Value)
		if two.CI95[0] <= d && d <= two.CI95[1] {
			covered["TwoNN"]++
		}
		for name, far := range map[string]int{"GRIDE (1, 2)": 2, "GRIDE (4, 8)": 8} {
			g, err := Gride(neighbors, far/2, far)
			if err != nil {
				t.Fatal(err)
			}
			if g.CI95[0] <= d && d <= g.CI95[1] {
				covered[name]++
			}
		}
	}
	if se := unbiased.sd() / math.Sqrt(repetitions); !(math.Abs(unbiased.mean-d) <= 4*se) {
		t.Errorf("the unbiased estimate has the mean %v ± %v", unbiased.mean, se)
	}
	if len(covered) != 3 {
		t.Fatalf("%d estimators", len(covered))
	}
	for name, in := range covered {
		if share := float64(in) / repetitions; !(math.Abs(share-0.95) <= 0.025) {
			t.Errorf("%s: %v of the intervals cover", name, share)
		}
	}
}

// At the size of a real data set the interval is still there, and normal.
func TestTwoNNIntervalOfManyPoints(t *testing.T) {
	const n = 60_000
	two, err := TwoNN(independentRatios(n, 2, 15, generator(2)))
	if err != nil {
		t.Fatal(err)
	}
	width := normal95 / math.Sqrt(n)
	if ci := two.CI95; two.Inflation != 1 || !near(ci[0], two.MLE*(1-width), 1e-4) || !near(ci[1], two.MLE*(1+width), 1e-4) {
		t.Errorf("%+v, want a relative half width of %v", two, width)
	}
}

// On real neighbours, which share ratios, the intervals still cover. Without the
// inflation it would be 78 to 90%.
func TestDimensionIntervalsOfPoints(t *testing.T) {
	const repetitions = 200
	covered := map[string]int{}
	for seed := range uint64(repetitions) {
		neighbors, err := NearestOthers(torus(400, 1, seed+1000), 8, testMemory)
		if err != nil {
			t.Fatal(err)
		}
		two, err := TwoNN(neighbors)
		if err != nil {
			t.Fatal(err)
		}
		if two.CI95[0] <= 1 && 1 <= two.CI95[1] {
			covered["TwoNN"]++
		}
		for name, far := range map[string]int{"GRIDE (1, 2)": 2, "GRIDE (2, 4)": 4, "GRIDE (4, 8)": 8} {
			g, err := Gride(neighbors, far/2, far)
			if err != nil {
				t.Fatal(err)
			}
			if g.CI95[0] <= 1 && 1 <= g.CI95[1] {
				covered[name]++
			}
		}
	}
	if len(covered) != 4 {
		t.Fatalf("%d estimators", len(covered))
	}
	for name, in := range covered {
		share := float64(in) / repetitions
		t.Logf("%s: %v of the intervals cover", name, share)
		if !(share >= 0.9) {
			t.Errorf("%s: %v of the intervals cover", name, share)
		}
	}
}

// The inflation by its definition, over all pairs.
func TestInflationCountsLinkedPairsOnce(t *testing.T) {
	random := generator(1)
	neighbors, err := NearestOthers(cube(200, 2, 2, random), 6, testMemory)
	if err != nil {
		t.Fatal(err)
	}
	r, err := logRatios(neighbors, 2, 4)
	if err != nil {
		t.Fatal(err)
	}
	u := make([]float64, 200)
	for i := range u {
		u[i] = 0.5 + random.Float64() // positive, so that the result is above one
	}
	var sum, squares float64
	for i := range u {
		for j := range u {
			linked := i == j || slices.Contains(neighbors.Index[i*6:i*6+4], int32(j)) || slices.Contains(neighbors.Index[j*6:j*6+4], int32(i))
			if linked {
				sum += u[i] * u[j]
			}
		}
		squares += u[i] * u[i]
	}
	if got := r.inflation(neighbors, 4, u); !near(got, sum/squares, 1e-12) {
		t.Errorf("inflation %v, want %v", got, sum/squares)
	}
}

// logLikelihood is written from the density of Denti et al. (2022), term by term.
func logLikelihood(neighbors *Neighbors, near, far int, d float64) float64 {
	beta := func(a, b float64) float64 {
		x, _ := math.Lgamma(a)
		y, _ := math.Lgamma(b)
		z, _ := math.Lgamma(a + b)
		return x + y - z
	}
	var sum float64
	for i := range neighbors.M - 1 { // the last has none
		mu := neighbors.Distance[i*neighbors.K+far-1] / neighbors.Distance[i*neighbors.K+near-1]
		sum += math.Log(d) + float64(far-near-1)*math.Log(math.Pow(mu, d)-1) -
			beta(float64(far-near), float64(near)) - (d*float64(far-1)+1)*math.Log(mu)
	}
	return sum
}

// GRIDE's value is the maximum of the likelihood, its score the derivative and its
// information minus the second one; the density integrates to one.
func TestGrideMaximisesTheLikelihood(t *testing.T) {
	neighbors := independentRatios(60, 16, 2.7, generator(3))
	for _, c := range [][2]int{{1, 2}, {1, 4}, {2, 4}, {3, 5}, {8, 16}} {
		g, err := Gride(neighbors, c[0], c[1])
		if err != nil {
			t.Fatal(err)
		}
		at := func(d float64) float64 { return logLikelihood(neighbors, c[0], c[1], d) }
		best := at(g.Value)
		for _, factor := range []float64{0.5, 0.9, 0.999, 1.001, 1.1, 2} {
			if !(at(g.Value*factor) < best) {
				t.Errorf("%v: the likelihood at %v·%v is larger", c, factor, g.Value)
			}
		}
		r, err := logRatios(neighbors, c[0], c[1])
		if err != nil {
			t.Fatal(err)
		}
		l := gride{logs: r.logs, sum: total(r.logs), near: float64(c[0]), far: float64(c[1])}
		for _, d := range []float64{0.8, 2, g.Value, 5} {
			const h = 1e-4
			value, slope := l.score(d)
			first := (at(d+h) - at(d-h)) / (2 * h)
			if !(math.Abs(value-d*first) <= 1e-5*(60+math.Abs(value))) {
				t.Errorf("%v: score %v at %v, want %v", c, value, d, d*first)
			}
			second := (at(d+h) - 2*at(d) + at(d-h)) / (h * h)
			if !near(l.information(d), -second, 1e-4) {
				t.Errorf("%v: information %v at %v, want %v", c, l.information(d), d, -second)
			}
			up, _ := l.score(d + h)
			down, _ := l.score(d - h)
			if !near(slope, (up-down)/(2*h), 1e-6) {
				t.Errorf("%v: slope %v at %v, want %v", c, slope, d, (up-down)/(2*h))
			}
		}
	}
}

func TestRatioTermIsSmooth(t *testing.T) {
	for _, x := range []float64{0, 1e-9, 1e-4, 0.9999999e-4, 1, 30, 800} {
		h, dh := ratioTerm(x)
		want, slope := 1.0, 0.5
		if x > 0 {
			want = x / -math.Expm1(-x)
		}
		if x >= 1e-4 {
			e := math.Exp(-x)
			slope = (1 - e - x*e) / ((1 - e) * (1 - e))
		}
		if !near(h, want, 1e-14) || !near(dh, slope, 1e-4) {
			t.Errorf("h(%v) = %v, h' = %v; want %v, %v", x, h, dh, want, slope)
		}
	}
}

// Duplicates are dropped and counted; what cannot give a dimension is an error.
func TestDimensionOfDegenerateSets(t *testing.T) {
	x := cube(400, 2, 2, generator(1))
	copy(x.X[:20], x.X[20:40]) // ten pairs
	neighbors, err := NearestOthers(x, 4, testMemory)
	if err != nil {
		t.Fatal(err)
	}
	two, err := TwoNN(neighbors)
	if err != nil || two.Dropped != 20 || two.Points != 380 || !(two.Value > 1.5 && two.Value < 2.5) {
		t.Errorf("%+v, %v", two, err)
	}
	if g, err := Gride(neighbors, 2, 4); err != nil || g.Dropped != 0 || !(g.Value > 1.5 && g.Value < 2.5) {
		t.Errorf("GRIDE (2, 4): %+v, %v", g, err)
	}
	for want, r := range map[string][]float64{
		"need two":        {0, 0, 0, 1, 0, 3},
		"equal distances": {1, 1, 2, 2, 3, 3},
	} {
		bad := &Neighbors{M: 3, K: 2, Distance: r, Index: make([]int32, 6)}
		if _, err := TwoNN(bad); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v, want %q", r, err, want)
		}
	}
	for _, c := range [][2]int{{0, 1}, {2, 2}, {3, 5}} {
		if _, err := Gride(neighbors, c[0], c[1]); err == nil {
			t.Errorf("neighbours %v of 4 have a dimension", c)
		}
	}
	// Some equal distances are not an error.
	if g, err := Gride(&Neighbors{M: 3, K: 4, Distance: []float64{1, 1, 1, 1, 1, 1, 2, 2, 1, 2, 3, 4}, Index: make([]int32, 12)}, 1, 4); err != nil || !(g.Value > 0) || math.IsInf(g.Value, 0) {
		t.Errorf("ties: %+v, %v", g, err)
	}
}

func TestDecimate(t *testing.T) {
	x := cube(2000, 2, 5, generator(2))
	curve, err := Decimate(x, 3, 6, testMemory, generator(3))
	if err != nil {
		t.Fatal(err)
	}
	for j, level := range curve {
		want := 6
		if j == 0 {
			want = 1
		}
		if level.N != 2000>>j || len(level.Values) != want || !near(level.Mean, 2, 0.1+4/math.Sqrt(float64(level.N*want))) {
			t.Errorf("level %d: %+v", j, level)
		}
		// The spread is that of about N independent ratios.
		if expected := 2 / math.Sqrt(float64(level.N)); j > 0 && !(level.SD > 0.3*expected && level.SD < 2.5*expected) {
			t.Errorf("level %d: spread %v, expected about %v", j, level.SD, expected)
		}
	}
	neighbors, err := NearestOthers(x, 2, testMemory)
	if err != nil {
		t.Fatal(err)
	}
	if two, err := TwoNN(neighbors); err != nil || curve[0].Mean != two.Value || !math.IsNaN(curve[0].SD) {
		t.Errorf("the whole set: %+v, TwoNN %+v, %v", curve[0], two, err)
	}
	again, err := Decimate(x, 3, 6, testMemory, generator(3))
	if err != nil || !slices.Equal(again[3].Values, curve[3].Values) {
		t.Errorf("the same seed gives other values; %v", err)
	}
	if _, err := Decimate(x, 10, 2, testMemory, generator(1)); err == nil {
		t.Error("subsets of one point have a dimension")
	}
}
