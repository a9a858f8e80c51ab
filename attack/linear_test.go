package attack

import (
	"fmt"
	"math"
	"testing"

	"sobolev/internal/kernel"
	"sobolev/nn"
)

// Of a linear f_c(x) = w·x + b the largest change is δ‖w‖₂ or δ‖w‖₁, the largest
// gradient ‖w‖_{2k}, and CLEVER's estimate the gradient's dual norm.
func TestLinearModels(t *testing.T) {
	t.Run("float64", func(t *testing.T) { linearModels[float64](t, 1e-12) })
	t.Run("float32", func(t *testing.T) { linearModels[float32](t, 3e-6) })
}

func linearModels[T kernel.Float](t *testing.T, tol float64) {
	const n, d, c = 70, 9, 3
	rng := generator(1)
	net := dense[T](t, rng, d, nil, c, nn.Identity)
	w, x := parameters(net), normal[T](rng, n*d)
	a := attacker(t, net)
	for _, b := range []Ball{{Norm: L2, Radius: 0.3}, {Norm: LInf, Radius: 0.3}} {
		for _, s := range []Search{FGSM(b), {Steps: 7, Restarts: 2}} {
			got, err := a.OutputChange(x, b, s, rng)
			if err != nil {
				t.Fatal(err)
			}
			for i, found := range got.Found {
				near(t, fmt.Sprintf("%v, %+v: change %d", b, s, i), found, b.Radius*dualNorm(b.Norm, row(w, i%c, d)), tol)
			}
		}
		u := []T{1, -1, 0}
		clever, err := a.CLEVER(x[:d], u, b, 20, 30, rng)
		if err != nil {
			t.Fatal(err)
		}
		difference := make([]T, d)
		for j := range difference {
			difference[j] = w[j] - w[d+j]
		}
		want := dualNorm(b.Norm, difference)
		near(t, "clever", clever.Lipschitz, want, tol)
		if !clever.Fit.Degenerate || clever.Lipschitz != clever.SampleMax {
			t.Errorf("a constant gradient's fit: %+v", clever)
		}
		near(t, "score", clever.Score, min(b.Radius, max(0, clever.Margin)/want), tol)
		other, err := a.CLEVER(x[:d], []T{-1, 1, 0}, b, 20, 30, rng)
		if err != nil {
			t.Fatal(err)
		}
		if scores := []float64{clever.Score, other.Score}; !(min(scores[0], scores[1]) == 0 && max(scores[0], scores[1]) > 0) || other.Margin != -clever.Margin {
			t.Errorf("scores %v of the two ways between a pair of classes, one of which is wrong", scores)
		}
		for k := 1; k <= 3; k++ {
			gradient, err := a.LargestGradient(x, k, b, Search{Steps: 2, Restarts: 2}, rng)
			if err != nil {
				t.Fatal(err)
			}
			for i, found := range gradient.Found {
				want := 0.0
				for _, v := range row(w, i%c, d) {
					want += math.Pow(float64(v), float64(2*k))
				}
				near(t, "gradient", found, math.Pow(want, 1/float64(2*k)), tol)
			}
		}
	}
}

// Within a box each coordinate of an ℓ_∞ ball has its own room.
func TestBoxOnLinearModel(t *testing.T) {
	const d, delta = 12, 0.3
	rng := generator(2)
	net := dense[float64](t, rng, d, nil, 1, nn.Identity)
	w, x := parameters(net), make([]float64, d)
	up, down := 0.0, 0.0
	for j := range x {
		x[j] = rng.Float64()
		high, low := min(delta, 1-x[j]), min(delta, x[j])
		up += max(w[j]*high, -w[j]*low)
		down += max(-w[j]*high, w[j]*low)
	}
	b := Ball{Norm: LInf, Radius: delta, Box: &Box{0, 1}}
	got, err := attacker(t, net).OutputChange(x, b, Search{Steps: 10, Restarts: 1}, rng)
	if err != nil {
		t.Fatal(err)
	}
	near(t, "change", got.Largest[0], max(up, down), 1e-12)
	for _, v := range got.Point {
		if v < 0 || v > 1 {
			t.Errorf("coordinate %v is not in the box", v)
		}
	}
}

// The class of a linear model changes at the distance (w_y − w_j)·x + (b_y − b_j)
// over the dual norm of w_y − w_j.
func TestRobustAccuracyOfLinearModel(t *testing.T) {
	const n, d = 150, 5
	for _, norm := range []Norm{L2, LInf} {
		rng := generator(3)
		net := dense[float64](t, rng, d, nil, 2, nn.Identity)
		w, data := parameters(net), nn.Data[float64]{N: n, X: normal[float64](rng, n*d), Y: make([]float64, 2*n), Classification: true}
		difference, distances := make([]float64, d), make([]float64, n)
		for j := range difference {
			difference[j] = w[j] - w[d+j]
		}
		for i := range n {
			y := rng.IntN(2)
			data.Y[2*i+y] = 1
			margin := w[2*d] - w[2*d+1]
			for j, v := range difference {
				margin += v * data.X[i*d+j]
			}
			distances[i] = float64(1-2*y) * margin / dualNorm(norm, difference)
		}
		radii := []float64{0, 0.1, 0.4, 1}
		got, err := attacker(t, net).RobustAccuracy(data, norm, radii, nil, Search{Steps: 5, Restarts: 1}, rng)
		if err != nil {
			t.Fatal(err)
		}
		for r, radius := range radii {
			standing := 0
			for i, distance := range distances {
				if distance > radius {
					standing++
				} else if !(got.Radius[i] <= radius) {
					t.Errorf("%v: sample %d at distance %v is misclassified from %v on", norm, i, distance, got.Radius[i])
				}
			}
			near(t, fmt.Sprintf("%v: accuracy at %v", norm, radius), got.Accuracy[r], float64(standing)/n, 0)
		}
		fit, err := net.NewEvaluator().Fit(data, nn.MSE)
		if err != nil {
			t.Fatal(err)
		}
		near(t, "accuracy within 0", got.Accuracy[0], fit.Accuracy, 0)
	}
}
