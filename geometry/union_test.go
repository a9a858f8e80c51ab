package geometry

import (
	"math"
	"slices"
	"strings"
	"testing"
)

func TestLogBallVolume(t *testing.T) {
	for d, want := range map[int]float64{1: 2, 2: math.Pi, 3: 4 * math.Pi / 3, 4: math.Pi * math.Pi / 2} {
		if got := LogBallVolume(d, 0.7); !(math.Abs(got-math.Log(want)-float64(d)*math.Log(0.7)) <= 1e-14) {
			t.Errorf("d = %d: %v", d, got)
		}
	}
	// V_d = V_{d−2}·2π/d from V_2 on.
	want := math.Log(math.Pi)
	for d := 4; d <= 784; d += 2 {
		want += math.Log(2 * math.Pi / float64(d))
	}
	if got := LogBallVolume(784, 1); !near(got, want, 1e-13) {
		t.Errorf("d = 784: %v, want %v", got, want)
	}
}

// The radius of a uniform point has P(‖x‖ ≤ r) = (r/δ)^d, and its coordinates have
// the second moment δ²/(d+2).
func TestUniformInBall(t *testing.T) {
	const draws = 40_000
	for _, d := range []int{1, 3, 10} {
		random, x, inner, square := generator(uint64(d)), make([]float64, d), 0, 0.0
		for range draws {
			uniformInBall(x, 2, random)
			var r float64
			for _, v := range x {
				r += v * v
			}
			if math.Sqrt(r) <= 2*math.Pow(0.3, 1/float64(d)) {
				inner++
			}
			square += x[d-1] * x[d-1] / draws
		}
		if sd := math.Sqrt(0.3 * 0.7 * draws); !(math.Abs(float64(inner)-0.3*draws) <= 4*sd) {
			t.Errorf("d = %d: %d of %d points in 0.3 of the volume", d, inner, draws)
		}
		if want := 4 / float64(d+2); !near(square, want, 4*math.Sqrt(2/float64(draws))) {
			t.Errorf("d = %d: mean square %v, want %v", d, square, want)
		}
	}
}

// Disjoint balls, in 784 dimensions: V = n V_ball without error.
func TestUnionOfDisjointBalls(t *testing.T) {
	x := gaussian[float32](50, 784, generator(1))
	u, err := MeasureUnion(x, 3, 500, testMemory, generator(2))
	if err != nil {
		t.Fatal(err)
	}
	want := math.Log(50) + LogBallVolume(784, 3)
	if u.LogVolume.Value != want || u.LogVolume.SE != 0 || u.MeanKappa.Value != 1 || u.MaxKappa != 1 {
		t.Errorf("%+v; want log V = %v", u, want)
	}
	if ci := u.LogVolume.CI95; ci[1] != want || !(ci[0] < want) || !(ci[0] >= want-0.01) {
		t.Errorf("interval %v around %v", ci, want)
	}
	s, err := ScatterBracket(x, 3, 100, testMemory, generator(3))
	if err != nil || s.Lower != 1 || s.Upper != 1 {
		t.Errorf("disjoint balls: %+v, %v", s, err)
	}
}

// twoBalls3 is the volume of two unit balls at distance r in R³.
func twoBalls3(r float64) float64 {
	lens := math.Pi * (4 + r) * (2 - r) * (2 - r) / 12
	return 8*math.Pi/3 - lens
}

// Two overlapping balls: the interval covers the volume of the closed form in
// about 95% of repetitions.
func TestUnionOfTwoBalls(t *testing.T) {
	const repetitions = 300
	for _, r := range []float64{0.3, 1, 1.7} {
		x := Points[float64]{N: 2, D: 3, X: []float64{5, 5, 5, 5, 5 + r, 5}}
		want, covered := math.Log(twoBalls3(r)), 0
		for seed := range uint64(repetitions) {
			u, err := MeasureUnion(x, 1, 400, testMemory, generator(seed))
			if err != nil {
				t.Fatal(err)
			}
			if ci := u.LogVolume.CI95; ci[0] <= want && want <= ci[1] {
				covered++
			}
		}
		// 3.5 standard deviations of a binomial count at 95%.
		if sd := math.Sqrt(0.95 * 0.05 * repetitions); !(math.Abs(float64(covered)-0.95*repetitions) <= 3.5*sd) {
			t.Errorf("r = %v: %d of %d intervals cover", r, covered, repetitions)
		}
	}
}

// With the weight 1/κ the sample is uniform on the union: the share of weight in
// a half-space cut through one ball is that of the volumes, here of two balls
// whose union is symmetric, and of duplicates, which change nothing.
func TestUnionSampleIsUniform(t *testing.T) {
	x := Points[float32]{N: 4, D: 2, X: []float32{0, 0, 0, 0, 0, 0, 1, 0}} // one centre three times
	const draws = 30_000
	s, err := SampleUnion(x, 1, draws, testMemory, generator(4))
	if err != nil {
		t.Fatal(err)
	}
	kappa, err := CountWithin(x, Points[float64]{N: draws, D: 2, X: s.X}, 1, testMemory)
	if err != nil || !slices.Equal(kappa, s.Kappa) {
		t.Errorf("κ of the sample is not that of its points; %v", err)
	}
	var left, all, diff float64
	for j, k := range s.Kappa {
		w := 1 / float64(k)
		all += w
		if s.X[2*j] < 0.5 {
			left += w
			diff += w * w / 4
		} else {
			diff += w * w / 4
		}
	}
	if !(math.Abs(left/all-0.5) <= 4*math.Sqrt(diff)/all) {
		t.Errorf("%v of the weight in half of the volume", left/all)
	}
}

func TestUnionDoesNotDependOnMemory(t *testing.T) {
	x := gaussian[float64](40, 5, generator(1))
	var want UnionVolume
	for i, memory := range []int64{1 << 20, 1 << 30} {
		got, err := MeasureUnion(x, 1, 30_000, memory, generator(2))
		if err != nil {
			t.Fatal(err)
		}
		if i > 0 && got != want {
			t.Errorf("%+v, with more memory %+v", want, got)
		}
		want = got
	}
	if _, err := SampleUnion(x, 1, 30_000, 1<<20, generator(1)); err == nil || !strings.Contains(err.Error(), "memory") {
		t.Errorf("a sample above the limit: %v", err)
	}
}

// A bracket holds the true K: three unit balls on a line at distance 1.5 share
// points two by two, which no training point shows.
func TestScatterBracketHoldsK(t *testing.T) {
	x := Points[float64]{N: 3, D: 1, X: []float64{0, 1.5, 3}}
	s, err := ScatterBracket(x, 1, 200, testMemory, generator(1))
	if err != nil || s.AtPoints != 1 || s.AtSample != 2 || s.Lower != 2 || s.Upper != 3 {
		t.Errorf("%+v, %v", s, err)
	}
	// In one dimension K is known from the sorted points.
	for seed := range uint64(40) {
		x := gaussian[float64](30, 1, generator(seed))
		sorted := slices.Sorted(slices.Values(x.X))
		want := 0
		for i, low := range sorted {
			j := i
			for j < len(sorted) && sorted[j]-low <= 0.4 {
				j++
			}
			want = max(want, j-i)
		}
		s, err := ScatterBracket(x, 0.2, 300, testMemory, generator(seed))
		if err != nil || s.Lower > want || s.Upper < want {
			t.Errorf("seed %d: %+v, %v; K = %d", seed, s, err, want)
		}
	}
}

func TestUnionRefuses(t *testing.T) {
	x := Points[float64]{N: 2, D: 1, X: []float64{0, 1}}
	for _, c := range []struct {
		delta float64
		draws int
		want  string
	}{{0, 5, "δ"}, {math.NaN(), 5, "δ"}, {1, 0, "draws"}, {1, 1, "at least two"}} {
		if _, err := MeasureUnion(x, c.delta, c.draws, testMemory, generator(1)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("δ = %v, %d draws: %v", c.delta, c.draws, err)
		}
	}
	if _, err := ScatterBracket(Points[float64]{D: 1}, 1, 5, testMemory, generator(1)); err == nil {
		t.Error("no points have a scatter constant")
	}
	one, err := ScatterBracket(Points[float64]{N: 1, D: 1, X: []float64{0}}, 1, 5, testMemory, generator(1))
	if err != nil || one.Lower != 1 || one.Upper != 1 {
		t.Errorf("one point: %+v, %v", one, err)
	}
}
