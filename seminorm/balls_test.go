package seminorm

import (
	"math"
	"math/rand/v2"
	"testing"
)

func TestLogBallVolume(t *testing.T) {
	for d, want := range []float64{1: 2 * 0.5, 2: math.Pi * 0.25, 3: 4 * math.Pi / 3 * 0.125} {
		if d > 0 && !near(math.Exp(LogBallVolume(d, 0.5)), want, 1e-13) {
			t.Errorf("d=%d: %v, want %v", d, math.Exp(LogBallVolume(d, 0.5)), want)
		}
	}
	// V_d = 2π/d V_{d−2}, far below float64.
	got, want := LogBallVolume(784, 0.1)-LogBallVolume(782, 0.1), math.Log(2*math.Pi/784*0.01)
	if !near(got, want, 1e-10) {
		t.Errorf("log V_784/V_782 = %v, want %v", got, want)
	}
}

// drawIntervals draws from the union of the intervals of radius 1 around centres,
// with the gradients of f₀ = x²/2 and f₁ = x³/3.
func drawIntervals(centres []float64, draws int, random *rand.Rand) (norms []float64, kappa []int) {
	for range draws {
		x := centres[random.IntN(len(centres))] + 2*random.Float64() - 1
		balls := 0
		for _, centre := range centres {
			if math.Abs(x-centre) <= 1 {
				balls++
			}
		}
		norms, kappa = append(norms, math.Abs(x), x*x), append(kappa, balls)
	}
	return norms, kappa
}

// On [−1, 1] ∪ [0, 2] = [−1, 2]: ∫ x^{2k} = (2^{2k+1} + 1)/(2k+1), the volume is 3.
func TestOnBallsCovers(t *testing.T) {
	integral := func(p int) float64 { return (math.Pow(2, float64(p+1)) + 1) / float64(p+1) }
	random := newRandom(1)
	const repetitions, draws = 400, 400
	for _, k := range []int{1, 2} {
		p := float64(2 * k)
		first, second := math.Pow(integral(2*k), 1/p), math.Pow(integral(4*k), 1/p)
		joint := math.Pow(integral(2*k)+integral(4*k), 1/p)
		scale := math.Pow(3, -1/p)
		names := []string{"volume", "f0", "f1", "joint", "sum", "mean f1", "mean joint", "mean sum"}
		truth := []float64{math.Log(3), math.Log(first), math.Log(second), math.Log(joint), math.Log(first + second),
			second * scale, joint * scale, (first + second) * scale}
		covered := make([]int, len(truth))
		for range repetitions {
			norms, kappa := drawIntervals([]float64{0, 1}, draws, random)
			b := OnBalls(norms, kappa, 2, k, 2, LogBallVolume(1, 1))
			for i, e := range []Estimate{b.LogVolume, b.LogIntegral.PerOutput[0], b.LogIntegral.PerOutput[1], b.LogIntegral.Joint,
				b.LogIntegral.Sum, b.Mean.PerOutput[1], b.Mean.Joint, b.Mean.Sum} {
				if e.Lower <= truth[i] && truth[i] <= e.Upper {
					covered[i]++
				}
			}
		}
		for i, count := range covered {
			// 95% of 400 is 380; four standard deviations are 17.
			if count < 360 || count > 398 {
				t.Errorf("k=%d, %s: covered %d times of %d", k, names[i], count, repetitions)
			}
		}
	}
}

// Where no balls meet, κ = 1 everywhere and the volume is exact; a constant
// gradient gives the seminorm on the union exactly, at any scale of the volume.
func TestOnBallsThatDoNotMeet(t *testing.T) {
	kappa := []int{1, 1, 1, 1, 1}
	norms := []float64{3, 3, 3, 3, 3}
	for _, logBall := range []float64{0, -5000, 5000} {
		b := OnBalls(norms, kappa, 1, 2, 10, logBall)
		if want := math.Log(10) + logBall; !near(b.LogVolume.Value, want, 1e-14) || b.LogVolume.SE != 0 {
			t.Errorf("log volume %+v, want %v", b.LogVolume, want)
		}
		want := math.Log(3) + (math.Log(10)+logBall)/4
		if !near(b.LogIntegral.Joint.Value, want, 1e-14) || !near(b.Mean.Sum.Value, 3, 1e-14) || !(b.Mean.Sum.SE <= 1e-15) {
			t.Errorf("seminorm %+v, mean %+v", b.LogIntegral.Joint, b.Mean.Sum)
		}
	}
}

// A constant gradient has an exact mean however the balls overlap: the errors of
// the integral and of the volume cancel.
func TestMeanOverBallsIsARatio(t *testing.T) {
	for k := 1; k <= 3; k++ {
		b := OnBalls([]float64{3, 4, 3, 4, 3, 4, 3, 4}, []int{1, 2, 1, 3}, 2, k, 3, -1000)
		for o, e := range b.Mean.PerOutput {
			if !near(e.Value, float64(3+o), 1e-13) || !(e.SE <= 1e-14) || !(b.LogIntegral.PerOutput[o].SE > 0.03) {
				t.Errorf("k=%d: mean %+v, integral %+v", k, e, b.LogIntegral.PerOutput[o])
			}
		}
		if !near(b.Mean.Sum.Value, 7, 1e-13) || !(b.Mean.Sum.SE <= 1e-14) || !near(b.Mean.Joint.Value, Norm([]float64{3, 4}, k), 1e-13) {
			t.Errorf("k=%d: sum %+v, joint %+v", k, b.Mean.Sum, b.Mean.Joint)
		}
		// Of independent draws the error of log V is that of the mean of 1/κ.
		if want := math.Sqrt((2*math.Pow(1-17.0/24, 2)+math.Pow(0.5-17.0/24, 2)+math.Pow(1.0/3-17.0/24, 2))/12) / (17.0 / 24); !near(b.LogVolume.SE, want, 1e-13) {
			t.Errorf("error of log V %v, want %v", b.LogVolume.SE, want)
		}
	}
}

func TestOnBallsOfAConstant(t *testing.T) {
	b := OnBalls([]float64{0, 0, 0}, []int{1, 2, 1}, 1, 1, 2, 0)
	if b.Mean.Joint != (Estimate{}) || !math.IsInf(b.LogIntegral.Joint.Value, -1) || b.LogIntegral.Joint.SE != 0 {
		t.Errorf("%+v", b)
	}
}

// One enormous gradient carries the estimate: the interval is not to be trusted,
// and the result says so.
func TestOnBallsWarnsOfHeavyTails(t *testing.T) {
	norms, kappa := drawIntervals([]float64{0, 1}, 1000, newRandom(1))
	if b := OnBalls(norms, kappa, 2, 1, 2, 0); len(b.Warnings) != 0 || !(b.Effective > 100) {
		t.Errorf("%v effective draws, warnings %q", b.Effective, b.Warnings)
	}
	norms[7] = 1e6
	if b := OnBalls(norms, kappa, 2, 1, 2, 0); len(b.Warnings) != 1 || !(b.Effective < 2) {
		t.Errorf("%v effective draws, warnings %q", b.Effective, b.Warnings)
	}
	norms[7] = math.NaN()
	if b := OnBalls(norms, kappa, 2, 1, 2, 0); !math.IsNaN(b.Mean.Joint.Value) || !math.IsNaN(b.LogIntegral.Sum.Value) {
		t.Errorf("with NaN: %+v", b)
	}
}
