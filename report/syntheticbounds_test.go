package report

import (
	"math"
	"math/rand/v2"

	"sobolev/rundir"
)

// boundsOf is what a result holds with bounds and a radius: Theorem 3 follows
// (2/η)^{1/2}, what rests on Definition 1 is assumed, and order 3 is undecided.
func boundsOf(p rundir.Point, r *rundir.Result, random *rand.Rand) {
	one := rundir.Hypothesis{Name: "order-1 stable", Holds: "yes", Evidence: "η = 0.1 <= 0.31"}
	definition := rundir.Hypothesis{Name: "definition 1", Holds: "assumed", Evidence: "if C_s = 2.5 is right"}
	open := rundir.Hypothesis{Name: "order-3 stable", Holds: "unknown", Evidence: "η = 0.1 between 0.05 and 0.2"}
	nan := rundir.Number(math.NaN())
	r.Bounds = nil
	for k := 1; k <= 3; k++ {
		gX := float64(r.Moments[k-1].GX)
		for i, s := range statements {
			if i == 4 || i == 6 { // those of a convolution
				continue
			}
			b := rundir.Bound{Statement: s.name, K: k, Status: applies, Applies: true, Hypotheses: []rundir.Hypothesis{one}, SharpForm: "tight"}
			measured := gX * (1 + float64(i)/10)
			ratio := math.Pow(4, float64(i%5)) * (1.2 + random.Float64()) * float64(k)
			b.Measured, b.Sharp = rundir.Number(measured), rundir.Number(measured*ratio)
			switch s.name {
			case "corollary 4":
				b.Measured, b.Sharp = rundir.Number(gX), rundir.Number(1.9*gX)
			case "theorem 3":
				b.Measured, b.Sharp = rundir.Number(gX), rundir.Number(20*gX*math.Sqrt(2/p.LearningRate))
			}
			b.Printed, b.Free = 30*b.Sharp, 1.5*b.Sharp
			if i >= 8 {
				b.Status, b.Hypotheses = assumed, []rundir.Hypothesis{one, definition}
			}
			if k == 3 && i != 3 && i != 5 {
				b.Status, b.Applies, b.Hypotheses, b.WhyNot = "unknown", false, []rundir.Hypothesis{one, open}, open.Name+": "+open.Evidence
				b.Printed, b.Sharp, b.Free, b.SharpForm = nan, nan, nan, ""
			}
			r.Bounds = append(r.Bounds, b)
		}
		estimate := func(v float64) rundir.Estimate {
			return rundir.Estimate{Value: rundir.Number(v), SE: rundir.Number(v / 50), CI95: [2]rundir.Number{rundir.Number(0.96 * v), rundir.Number(1.04 * v)}, Draws: 500, Seed: 3}
		}
		r.Seminorms = append(r.Seminorms, rundir.Seminorm{K: k, Points: rundir.Number(gX), PointsSum: rundir.Number(2 * gX), Balls: estimate(1.1 * gX)})
		r.Smoothness = append(r.Smoothness, rundir.Smoothness{K: k, Radius: 0.2, Found: 2.5, Certified: rundir.Number(9 / float64(k)), Lipschitz: 140, Samples: 20})
		r.Geometry = &rundir.Geometry{Radius: 0.5, Uncovered: 0.25, UncoveredCI95: [2]rundir.Number{0.23, 0.27}, LogVolume: estimate(-2000), OverlapLower: 2, OverlapUpper: 5}
	}
	r.Robustness = &rundir.Robustness{Radius: 0.5, Samples: 200, OutputChange: 0.63}
	for k := 1; k <= 3; k++ {
		r.Robustness.Gradients = append(r.Robustness.Gradients, rundir.GradientInBall{K: k, Found: rundir.Number(1.5 / float64(k))})
	}
}

// boundedRecords is a finished run of cfg with stability and bounds.
func boundedRecords(cfg rundir.Config) []rundir.Record {
	rs := stableRecords(cfg, true)
	random := rand.New(rand.NewPCG(11, 12))
	for i := range rs {
		boundsOf(rs[i].Point, rs[i].Result, random)
	}
	return rs
}

// oddBounds adds runs with bounds that a report must survive.
func oddBounds(runs map[string]*Report) {
	nan, inf := rundir.Number(math.NaN()), rundir.Number(math.Inf(1))
	grid := gridConfig([]float64{0.1, 0.4}, []int{20}, 2)
	add := func(name string, cfg rundir.Config, change func(int, *rundir.Record)) {
		rs := boundedRecords(cfg)
		for i := range rs {
			rs[i].Result.Moments = rs[i].Result.Moments[:1]
			if change != nil {
				change(i, &rs[i])
			}
		}
		runs[name] = fromRecords(cfg, rs, false, 20)
	}
	each := func(f func(*rundir.Bound)) func(int, *rundir.Record) {
		return func(_ int, r *rundir.Record) {
			for i := range r.Result.Bounds {
				f(&r.Result.Bounds[i])
			}
		}
	}
	add("bounds", grid, nil)
	add("bounds over batch sizes", gridConfig([]float64{0.1}, []int{5, 20, 80}, 1), nil)
	add("bounds of one point", gridConfig([]float64{0.1}, []int{20}, 1), nil)
	add("bounds without stability", grid, func(_ int, r *rundir.Record) { r.Result.Stability, r.Result.Curvature = nil, nil })
	add("bounds without moments", grid, func(_ int, r *rundir.Record) { r.Result.Moments = nil })
	add("bounds, none interpolates", grid, func(_ int, r *rundir.Record) { noInterpolation(r) })
	add("bounds of some", grid, func(i int, r *rundir.Record) {
		switch i {
		case 0:
			r.Result.Bounds = nil
		case 1:
			diverge(r)
		case 2:
			r.Result.Bounds = r.Result.Bounds[:1]
		}
	})
	add("no bound applies", grid, each(func(b *rundir.Bound) {
		b.Status, b.Measured, b.Printed, b.Sharp, b.Free, b.WhyNot, b.Hypotheses = "does-not-apply", nan, nan, nan, nan, "", nil
	}))
	add("bounds of odd status", grid, each(func(b *rundir.Bound) {
		b.Status = []string{"", "applies ", "<b>", "UNKNOWN", "does-not-apply"}[b.K]
		b.Applies = true
	}))
	add("bounds without numbers", grid, each(func(b *rundir.Bound) { b.Measured, b.Printed, b.Sharp, b.Free = nan, nan, nan, nan }))
	add("bounds out of range", grid, func(i int, r *rundir.Record) {
		for j := range r.Result.Bounds {
			b := &r.Result.Bounds[j]
			switch (i + j) % 7 {
			case 0:
				b.Measured = 0
			case 1:
				b.Sharp, b.Free = inf, 0
			case 2:
				b.Measured = -b.Measured
			case 3:
				b.Measured, b.Sharp = 1e-300, 1e300
			case 4:
				b.Measured, b.Sharp, b.Printed, b.LogFactor = 1e-223, 1e-221, 1e-219, -1021
			case 5:
				b.Printed, b.LogFactor = nan, math.NaN()
			case 6:
				b.Statement, b.K, b.SharpForm = "theorem <8> & more than fits into a label", -1, "<i>"
			}
		}
		r.Result.Geometry = &rundir.Geometry{Radius: nan, Uncovered: nan, UncoveredCI95: [2]rundir.Number{nan, nan}}
		r.Result.Robustness.OutputChange, r.Result.Robustness.Gradients = nan, nil
		r.Result.Smoothness[0].Found, r.Result.Smoothness[1].Certified = inf, nan
		r.Result.Seminorms = r.Result.Seminorms[:1]
		r.Result.Seminorms[0].Balls = rundir.Estimate{Value: nan, CI95: [2]rundir.Number{nan, inf}}
	})
	add("bounds without a name", grid, each(func(b *rundir.Bound) { b.Statement = "" }))
	add("bounds without a radius", grid, func(_ int, r *rundir.Record) {
		r.Result.Geometry, r.Result.Seminorms, r.Result.Smoothness, r.Result.Robustness = nil, nil, nil, nil
	})
	several := grid
	several.Grid.Method = []string{"sgd", "label-noise"}
	several.SGD.LabelNoise = 0.1
	add("bounds of two methods", several, nil)
}
