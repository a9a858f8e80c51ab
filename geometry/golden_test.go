package geometry

import (
	"encoding/json"
	"math"
	"os"
	"slices"
	"testing"

	"github.com/sbinet/npyio/npz"
)

type goldenTwoNN struct {
	MLE      float64   `json:"mle_n_over_sum_log_mu"`
	Unbiased float64   `json:"unbiased_(n-1)_over_sum_log_mu"`
	Linear   float64   `json:"facco_linear_fit_through_origin_keep_90pct"`
	R1       []float64 `json:"r1"`
	R2       []float64 `json:"r2"`
}

type golden struct {
	PerDelta []struct {
		Delta         float64 `json:"delta"`
		Covered       float64 `json:"cover_fraction"`
		Epsilon       float64 `json:"epsilon"`
		KappaQuery    []int   `json:"kappa_query"`
		KappaTraining []int   `json:"kappa_at_training_points"`
		Volume        float64 `json:"union_volume"`
		AllBalls      float64 `json:"n_V_ball"`
		MeanKappa     float64 `json:"mean_kappa"`
		KarpLubySE    float64 `json:"karp_luby_standard_error"` // of 10⁶ draws
	} `json:"per_delta"`
	MinDistance []float64   `json:"min_distance_test_to_train"`
	Train       goldenTwoNN `json:"twonn_train"`
	Test        goldenTwoNN `json:"twonn_test"`
}

func readGolden(t *testing.T) (g golden, train, test, query Points[float64]) {
	t.Helper()
	text, err := os.ReadFile("testdata/golden.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &g); err != nil {
		t.Fatal(err)
	}
	f, err := npz.Open("testdata/arrays.npz")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	read := func(name string) Points[float64] {
		var x []float64
		if err := f.Read(name, &x); err != nil {
			t.Fatal(err)
		}
		return Points[float64]{N: len(x) / 3, D: 3, X: x}
	}
	return g, read("points.npy"), read("test.npy"), read("query.npy")
}

func near(got, want, tolerance float64) bool {
	return math.Abs(got-want) <= tolerance*math.Abs(want)
}

func TestGoldenCoverAndKappa(t *testing.T) {
	g, train, test, query := readGolden(t)
	nearest, err := Nearest(train, test, 1, testMemory)
	if err != nil {
		t.Fatal(err)
	}
	for i, r := range nearest.Distance {
		if !near(r, g.MinDistance[i], 1e-13) {
			t.Errorf("test point %d at %v, want %v", i, r, g.MinDistance[i])
		}
	}
	for _, c := range g.PerDelta {
		cover, err := CoverAt(nearest.Distance, c.Delta)
		if err != nil || !near(cover.Epsilon, c.Epsilon, 1e-14) || !near(1-cover.Epsilon, c.Covered, 1e-14) {
			t.Errorf("δ = %v: %+v, %v; want ε = %v", c.Delta, cover, err, c.Epsilon)
		}
		kappa, err := CountWithin(train, query, c.Delta, testMemory)
		if err != nil || !slices.Equal(kappa, c.KappaQuery) {
			t.Errorf("δ = %v: κ %v, %v; want %v", c.Delta, kappa, err, c.KappaQuery)
		}
		kappa, err = CountWithin(train, train, c.Delta, testMemory)
		if err != nil || !slices.Equal(kappa, c.KappaTraining) {
			t.Errorf("δ = %v: κ at the points %v, %v; want %v", c.Delta, kappa, err, c.KappaTraining)
		}
		s, err := ScatterBracket(train, c.Delta, 2000, testMemory, generator(1))
		largest := max(slices.Max(c.KappaTraining), slices.Max(c.KappaQuery))
		if err != nil || s.AtPoints != slices.Max(c.KappaTraining) || s.Lower < s.AtPoints || s.Upper < largest || s.Upper < s.Lower {
			t.Errorf("δ = %v: %+v, %v; κ reaches %d", c.Delta, s, err, largest)
		}
	}
}

func TestGoldenUnionVolume(t *testing.T) {
	g, train, _, _ := readGolden(t)
	const draws = 40_000
	for _, c := range g.PerDelta {
		u, err := MeasureUnion(train, c.Delta, draws, testMemory, generator(7))
		if err != nil {
			t.Fatal(err)
		}
		all := math.Log(40) + u.LogBall
		volume, kappa := u.LogVolume, u.MeanKappa
		if !near(math.Exp(all), c.AllBalls, 1e-13) || !(math.Abs(volume.Value-math.Log(c.Volume)) <= 4*volume.SE) || !(math.Abs(kappa.Value-c.MeanKappa) <= 4*kappa.SE) {
			t.Errorf("δ = %v: %+v; want log V = %v, mean κ %v", c.Delta, u, math.Log(c.Volume), c.MeanKappa)
		}
		if want := c.KarpLubySE / c.Volume * math.Sqrt(1e6/draws); !near(volume.SE, want, 0.03) {
			t.Errorf("δ = %v: standard error %v, want %v", c.Delta, volume.SE, want)
		}
	}
}

func TestGoldenTwoNN(t *testing.T) {
	g, train, test, _ := readGolden(t)
	for _, c := range []struct {
		x    Points[float64]
		want goldenTwoNN
	}{{train, g.Train}, {test, g.Test}} {
		neighbors, err := NearestOthers(c.x, 2, testMemory)
		if err != nil {
			t.Fatal(err)
		}
		for i := range c.x.N {
			if !near(neighbors.Distance[2*i], c.want.R1[i], 1e-13) || !near(neighbors.Distance[2*i+1], c.want.R2[i], 1e-13) {
				t.Errorf("point %d: %v, want %v, %v", i, neighbors.Distance[2*i:2*i+2], c.want.R1[i], c.want.R2[i])
			}
		}
		got, err := TwoNN(neighbors)
		if err != nil || !near(got.Value, c.want.Unbiased, 1e-12) || !near(got.MLE, c.want.MLE, 1e-12) || !near(got.Linear, c.want.Linear, 1e-12) {
			t.Errorf("%+v, %v; want %v, %v, %v", got, err, c.want.Unbiased, c.want.MLE, c.want.Linear)
		}
		gride, err := Gride(neighbors, 1, 2)
		if err != nil || !near(gride.Value, c.want.MLE, 1e-12) {
			t.Errorf("GRIDE (1, 2): %+v, %v; want the MLE %v", gride, err, c.want.MLE)
		}
	}
}
