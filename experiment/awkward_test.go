package experiment

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"sobolev/bound"
	"sobolev/curvature"
	"sobolev/nn"
	"sobolev/stability"
)

// Data that the theory is not for have a result all the same, in which every bound
// that they spoil says why.
func TestBoundsAroundAwkwardData(t *testing.T) {
	all := []string{"theorem 4", "theorem 5", "theorem 6", "theorem 7"}
	for _, c := range []struct {
		name   string
		change func(s *study)
		hit    []string
		status string
		says   string
	}{
		{"a zero input", func(s *study) { clear(s.data.X[3*6 : 4*6]) }, all, "does-not-apply", "sample 3 is zero, so the bound is infinite"},
		{"duplicates", func(s *study) {
			copy(s.data.X[6:12], s.data.X[:6])
			copy(s.data.Y[3:6], s.data.Y[:3])
		}, nil, "", ""},
		{"duplicates of two classes", func(s *study) {
			copy(s.data.X[6:12], s.data.X[:6])
			s.data.Y[3], s.data.Y[0] = 1, 0
		}, []string{"theorem 6"}, "does-not-apply", "M₂ = +Inf"},
		{"one sample", func(s *study) {
			s.data, s.batch = nn.Data[float64]{N: 1, X: s.data.X[:6], Y: s.data.Y[:3]}, 1
		}, nil, "", ""},
		{"no test set", func(s *study) { s.test = nn.Data[float64]{} }, []string{"theorem 6"}, "unknown", "ε₂"},
		{"balls beyond δ_approx", func(s *study) { s.given = givenConstants{smoothness: 2, approximation: 1e-3} }, all, "does-not-apply", "> "},
	} {
		s := goldenStudy(t, nn.MSE, 1e-3, 1, stability.WithoutReplacement)
		s.options.Radius = 0.02
		s.data.X, s.data.Y = slices.Clone(s.data.X), slices.Clone(s.data.Y)
		s.test = nn.Data[float64]{N: s.data.N, X: slices.Clone(s.data.X), Y: slices.Clone(s.data.Y)}
		c.change(s)
		var err error
		if s.point, err = curvature.At(s.net, s.data, nn.MSE, s.memory); err != nil {
			t.Fatal(err)
		}
		if err := s.measure(t.Context()); err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		seen := 0
		for _, b := range s.Bounds {
			if !slices.Contains(all, b.Statement) {
				continue
			}
			seen++
			what := fmt.Sprintf("%s: %s, k = %d is %s, %s", c.name, b.Statement, b.K, b.Status, b.WhyNot)
			switch hit := slices.Contains(c.hit, b.Statement); {
			case hit && (b.Status != c.status || !strings.Contains(b.WhyNot, c.says) || !math.IsNaN(float64(b.Sharp))):
				t.Errorf("%s; want %s, %q", what, c.status, c.says)
			case !hit && (!b.Applies || !(b.Measured <= b.Sharp) || math.IsInf(float64(b.Sharp), 0)):
				t.Errorf("%s: %v ≤ %v", what, b.Measured, b.Sharp)
			}
		}
		if seen != 3*len(all) {
			t.Errorf("%s: %d bounds around the data", c.name, seen)
		}
		if c.name == "one sample" && (!math.IsNaN(float64(s.Geometry.Dimension)) || s.Geometry.OverlapUpper != 1) {
			t.Errorf("%s: %+v", c.name, s.Geometry)
		}
		if strings.HasPrefix(c.name, "duplicates") && s.Geometry.OverlapLower < 2 {
			t.Errorf("%s: %+v", c.name, s.Geometry)
		}
		if c.name == "no test set" && (!math.IsNaN(float64(s.Geometry.Uncovered)) || s.Geometry.Rate != nil) {
			t.Errorf("%s: %+v", c.name, s.Geometry)
		}
	}
}

// Where the memory is too small for what lies around the data, what is at the data
// stays, and the warning says how much it would take.
func TestLittleMemoryAroundTheData(t *testing.T) {
	s := goldenStudy(t, nn.MSE, 1e-3, 1, stability.WithoutReplacement)
	layers, g := studyAtTheData(t, s)
	s.options.Radius, s.memory = 0.02, 20_000
	if err := s.boundsAroundTheData(t.Context(), layers, g); err == nil || !strings.Contains(err.Error(), "20000") && !strings.Contains(err.Error(), "bytes") {
		t.Errorf("20,000 bytes: %v", err)
	}
	s = goldenStudy(t, nn.MSE, 1e-3, 1, stability.WithoutReplacement)
	s.options.Radius = math.Inf(1) // no ball at all
	if err := s.measure(t.Context()); err != nil {
		t.Fatal(err)
	}
	if s.Stability == nil || len(s.Bounds) < 18 || !slices.ContainsFunc(s.Warnings, func(w string) bool { return strings.HasPrefix(w, "bounds around the data are left out: ") }) {
		t.Errorf("stability %v, %d bounds, warnings %q", s.Stability, len(s.Bounds), s.Warnings)
	}
}

// studyAtTheData does what comes before the balls.
func studyAtTheData(t *testing.T, s *study) ([]bound.FirstLayer, *norms) {
	t.Helper()
	if err := s.measure(t.Context()); err != nil {
		t.Fatal(err)
	}
	g, err := s.gradientNorms(3)
	if err != nil {
		t.Fatal(err)
	}
	return s.firstLayers(g), g
}
