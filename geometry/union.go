package geometry

import (
	"fmt"
	"math"
	"math/rand/v2"

	"sobolev/internal/kernel"
)

// UnionSample holds independent points of the union X_δ of n balls. X is
// draws×d, row-major; point j lies in the ball around training point Center[j] and
// in Kappa[j] ≥ 1 balls in all.
//
// A point has the density κ(x)/(n V_ball) on X_δ (Karp, Luby and Madras, 1989,
// "Monte-Carlo approximation algorithms for enumeration problems"), so with the
// weight 1/κ the sample is uniform:
//
//	∫_{X_δ} g dx = n V_ball E[g(x)/κ(x)].
type UnionSample struct {
	N, D   int
	X      []float64
	Center []int
	Kappa  []int
}

// SampleUnion draws points of the union of the balls of radius delta around x:
// uniform in a ball that is chosen uniformly. memory limits the bytes of the
// sample and of working memory; the points do not depend on it. It fails for
// values that are not finite, a delta that is not finite and positive and
// draws < 1.
func SampleUnion[T kernel.Float](x Points[T], delta float64, draws int, memory int64, random *rand.Rand) (*UnionSample, error) {
	if err := checkUnion(x, delta, draws); err != nil {
		return nil, err
	}
	if int64(draws) > memory/sampleBytes(x.D) {
		return nil, fmt.Errorf("%d points of dimension %d do not fit into %d bytes of memory", draws, x.D, memory)
	}
	return sampleUnion(view[T]{points: x}, delta, draws, memory-int64(draws)*sampleBytes(x.D), random)
}

func checkUnion[T kernel.Float](x Points[T], delta float64, draws int) error {
	if err := x.check("points"); err != nil {
		return err
	}
	if err := checkRadius(delta); err != nil {
		return err
	}
	if draws < 1 {
		return fmt.Errorf("%d draws; need at least one", draws)
	}
	return nil
}

// sampleBytes is the memory of one point of a UnionSample.
func sampleBytes(d int) int64 { return 8*int64(d) + 16 }

func sampleUnion[T kernel.Float](x view[T], delta float64, draws int, memory int64, random *rand.Rand) (*UnionSample, error) {
	d := x.points.D
	s := &UnionSample{N: draws, D: d, X: make([]float64, draws*d), Center: make([]int, draws)}
	for j := range draws {
		s.Center[j] = random.IntN(x.len())
		point := s.X[j*d : (j+1)*d]
		uniformInBall(point, delta, random)
		for l, v := range x.row(s.Center[j]) {
			point[l] += float64(v)
		}
	}
	// The ball that a point was drawn from counts, even where rounding puts the
	// point outside.
	others, err := countWithin(x, view[float64]{points: Points[float64]{N: draws, D: d, X: s.X}}, delta, s.Center, memory)
	if err != nil {
		return nil, err
	}
	for j := range others {
		others[j]++
	}
	s.Kappa = others
	return s, nil
}

// UnionVolume describes the union X_δ of n balls. LogVolume is log V_X,
//
//	V_X = n V_ball E[1/κ],
//
// MeanKappa the mean of κ over X_δ, n V_ball/V_X = 1/E[1/κ] (Ma & Ying, 2021,
// Remark 2). MaxKappa is the largest κ that a draw met, Overlapping the number of
// draws with κ > 1. LogBall is log V_ball.
type UnionVolume struct {
	LogVolume   Estimate
	MeanKappa   Estimate
	LogBall     float64
	MaxKappa    int
	Overlapping int
}

// MeasureUnion estimates the volume of the union of the balls of radius delta
// around x from draws of SampleUnion. The standard errors come from that of the
// mean of 1/κ by the delta method, and the intervals are images of the normal one
// of that mean, cut to 1/n ≤ 1/κ ≤ 1; where no draw met an overlap the standard
// error is zero and the lower end of E[1/κ] is one minus the Clopper–Pearson limit
// of P(κ > 1). memory limits the bytes of working memory; the result does not
// depend on it. It needs draws ≥ 2 and fails as SampleUnion does.
func MeasureUnion[T kernel.Float](x Points[T], delta float64, draws int, memory int64, random *rand.Rand) (UnionVolume, error) {
	if err := checkUnion(x, delta, draws); err != nil {
		return UnionVolume{}, err
	}
	if draws < 2 {
		return UnionVolume{}, fmt.Errorf("one draw has no standard error; need at least two")
	}
	return measureUnion(view[T]{points: x}, delta, draws, memory, random)
}

func measureUnion[T kernel.Float](x view[T], delta float64, draws int, memory int64, random *rand.Rand) (UnionVolume, error) {
	u := UnionVolume{LogBall: LogBallVolume(x.points.D, delta)}
	var inverse running
	// Half of the memory for the sample, half to count its balls in.
	batch := int(max(1, min(int64(draws), memory/2/sampleBytes(x.points.D))))
	for done := 0; done < draws; done += batch {
		s, err := sampleUnion(x, delta, min(batch, draws-done), memory/2, random)
		if err != nil {
			return UnionVolume{}, err
		}
		for _, k := range s.Kappa {
			inverse.add(1 / float64(k))
			u.MaxKappa = max(u.MaxKappa, k)
			if k > 1 {
				u.Overlapping++
			}
		}
	}
	u.estimate(inverse, x.len())
	return u, nil
}

// estimate turns the mean of 1/κ into the volume and the mean κ.
func (u *UnionVolume) estimate(inverse running, n int) {
	draws := inverse.n
	mean, se := inverse.mean, inverse.sd()/math.Sqrt(float64(draws))
	lower, upper := max(mean-normal95*se, 1/float64(n)), min(mean+normal95*se, 1)
	if u.Overlapping == 0 {
		lower = 1 - proportion95(0, draws)[1]*(1-1/float64(n))
	}
	all := math.Log(float64(n)) + u.LogBall
	u.LogVolume = Estimate{
		Value: all + math.Log(mean), SE: se / mean,
		CI95: [2]float64{all + math.Log(lower), all + math.Log(upper)}, Draws: draws,
	}
	u.MeanKappa = Estimate{Value: 1 / mean, SE: se / (mean * mean), CI95: [2]float64{1 / upper, 1 / lower}, Draws: draws}
}
