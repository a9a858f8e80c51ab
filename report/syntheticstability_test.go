package report

import (
	"math"
	"math/rand/v2"

	"sobolev/rundir"
)

// stabilityOf is that of a solution whose thresholds fall with η as its margin
// approaches 1; without exact, thresholds are brackets.
func stabilityOf(p rundir.Point, exact bool, random *rand.Rand) (*rundir.Stability, *rundir.Curvature) {
	const samples = 5000
	b := float64(p.BatchSize)
	variance := func(margin, b float64) float64 { return margin / (1 + 6*(samples-b)/(b*(samples-1))) }
	mean := p.LearningRate * (0.98 + 0.35*math.Pow(p.LearningRate, -0.5)*math.Exp(0.1*random.NormFloat64())) * variance(1, samples) / variance(1, b)
	threshold := func(b float64) rundir.Threshold {
		v := variance(mean, b)
		t := rundir.Threshold{Value: rundir.Number(v), Lower: rundir.Number(v * (1 - 1e-7)), Upper: rundir.Number(v), Exact: exact}
		if !exact {
			t.Lower, t.Upper = rundir.Number(v/1.3), rundir.Number(v*1.15)
		}
		return t
	}
	s := &rundir.Stability{EtaMean: rundir.Number(mean), EtaVar: threshold(b)}
	s.EtaAllOrders = rundir.Bracket{Lower: 0.4 * s.EtaVar.Lower, Upper: 0.9 * s.EtaVar.Upper}
	for k := 2; k <= 4; k++ {
		o := rundir.Order{K: k, EtaLower: s.EtaVar.Lower, EtaUpper: s.EtaVar.Upper, Exact: exact}
		if k > 2 {
			o.EtaLower, o.EtaUpper = s.EtaAllOrders.Lower, 0.97*s.EtaVar.Upper
		}
		switch v := decide(p.LearningRate, float64(o.EtaLower), float64(o.EtaUpper)); v {
		case stable, unstable:
			yes := v == stable
			o.Stable = &yes
		}
		s.Orders = append(s.Orders, o)
	}
	for _, b := range []int{1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000} {
		f := rundir.FrontierPoint{BatchSize: b, Threshold: threshold(float64(b))}
		s.Frontier = append(s.Frontier, f)
	}
	for _, eta := range []float64{p.LearningRate / 2, p.LearningRate} {
		value := -1e-4 * eta * (1 + random.Float64())
		s.Lyapunov = append(s.Lyapunov, rundir.LyapunovExponent{LearningRate: rundir.Number(eta), Estimate: rundir.Estimate{
			Value: rundir.Number(value), SE: 2e-6, CI95: [2]rundir.Number{rundir.Number(value - 4e-6), rundir.Number(value + 4e-6)}, Draws: 100_000, Seed: 7}})
	}
	largest, share := rundir.Number(2/mean), rundir.Number(0.01*math.Exp(random.NormFloat64()))
	return s, &rundir.Curvature{Trace: 3 * largest, LambdaMax: &largest, ResidualShare: &share}
}

// stableRecords is a finished run of cfg with its stability.
func stableRecords(cfg rundir.Config, exact bool) []rundir.Record {
	rs := records(cfg)
	random := rand.New(rand.NewPCG(7, 8))
	for i := range rs {
		rs[i].Result.Stability, rs[i].Result.Curvature = stabilityOf(rs[i].Point, exact, random)
	}
	return rs
}

// probesOf is a history of sharpness that rises to 2/η, from step 0 on.
func probesOf(eta float64, steps []int64) []rundir.HistoryRow {
	random := rand.New(rand.NewPCG(9, 10))
	var rows []rundir.HistoryRow
	for _, step := range steps {
		rise := 1 - math.Exp(-float64(step)/1e4)
		probe := rundir.NoProbe()
		probe.ProbeSamples = 1000
		probe.TrainAccuracy, probe.TestAccuracy = 0.5+0.5*rise, 0.5+0.4*rise
		probe.LambdaMax = 2 / eta * (0.05 + 0.55*rise) * math.Exp(0.03*random.NormFloat64())
		probe.RatioMean = 2 / eta * (0.15 + 0.85*rise) * math.Exp(0.05*random.NormFloat64())
		probe.RatioMeanLower, probe.RatioMeanUpper = 0.92*probe.RatioMean, 1.08*probe.RatioMean
		row := rundir.HistoryRow{Step: step, BatchLoss: 0.1 / (1 + float64(step)*eta/1000), Probe: probe}
		if step == 0 {
			row.BatchLoss = math.NaN()
		}
		rows = append(rows, row)
	}
	return rows
}

// withProbes gives every solution of a report a history.
func withProbes(r *Report, steps []int64) *Report {
	for i := range r.solutions {
		if s := &r.solutions[i]; s.Result != nil {
			rows := probesOf(s.Point.LearningRate, steps)
			c := thin(rows)
			if c.of, c.probes = s, probed(rows); len(c.steps) > 0 {
				r.curves = append(r.curves, c)
			}
		}
	}
	return r
}

func evenly(n int, every int64) []int64 {
	var steps []int64
	for i := range int64(n) {
		steps = append(steps, i*every)
	}
	return steps
}

// oddStability adds runs with results on stability, or parts of them.
func oddStability(runs map[string]*Report) {
	cfg := gridConfig([]float64{0.1, 0.2, 0.4}, []int{10, 20}, 2)
	nan, inf := rundir.Number(math.NaN()), rundir.Number(math.Inf(1))
	add := func(name string, exact bool, steps []int64, change func(int, *rundir.Record)) *Report {
		rs := stableRecords(cfg, exact)
		for i := range rs {
			rs[i].Result.Moments = rs[i].Result.Moments[:1]
			if change != nil {
				change(i, &rs[i])
			}
		}
		runs[name] = withProbes(fromRecords(cfg, rs, false, 20), steps)
		return runs[name]
	}
	add("stability", true, evenly(5, 100), nil)
	add("stability in brackets", false, nil, nil)
	add("stability without moments", true, nil, func(_ int, r *rundir.Record) { r.Result.Moments = nil })
	add("stability, none interpolates", true, nil, func(_ int, r *rundir.Record) { noInterpolation(r) })
	add("stability of the diverged", true, nil, func(_ int, r *rundir.Record) { diverge(r) })
	add("stability half measured", false, evenly(1, 1), func(i int, r *rundir.Record) {
		s := r.Result.Stability
		switch i % 6 {
		case 0:
			r.Result.Stability = nil
		case 1:
			s.EtaVar.Value, r.Result.Curvature = nan, nil
		case 2:
			s.EtaVar.Lower, s.EtaVar.Upper, s.EtaMean = nan, nan, nan
		case 3:
			s.Orders, s.Frontier, s.Lyapunov = nil, s.Frontier[:1], nil
			s.EtaAllOrders = rundir.Bracket{Lower: nan, Upper: nan}
		case 4:
			r.Result, r.Status.State = nil, rundir.Failed
		case 5:
			r.Result.Curvature.LambdaMax, r.Result.Curvature.ResidualShare = nil, nil
			s.Lyapunov[1].Value, s.Lyapunov[1].CI95 = nan, [2]rundir.Number{nan, nan}
		}
	})
	add("stability without limits", false, nil, func(i int, r *rundir.Record) {
		s := r.Result.Stability
		switch i % 3 {
		case 0:
			s.EtaVar.Upper, s.EtaVar.Lower = inf, 0
			s.Frontier[2].Upper, s.Frontier[3].Lower, s.Frontier[4].Value = inf, 0, nan
		case 1:
			*s = rundir.Stability{EtaMean: inf, EtaVar: rundir.Threshold{Value: inf, Lower: inf, Upper: inf, Exact: true}}
			r.Result.Curvature.LambdaMax = new(rundir.Number)
		case 2:
			*s = rundir.Stability{EtaMean: nan, EtaVar: rundir.Threshold{Value: 0, Lower: -1, Upper: 1e300}, Frontier: []rundir.FrontierPoint{{BatchSize: 0}, {BatchSize: 3}}}
		}
	})
	add("stability of nothing finite", true, nil, func(_ int, r *rundir.Record) {
		*r.Result.Stability = rundir.Stability{EtaMean: nan, EtaVar: rundir.Threshold{Value: nan, Lower: nan, Upper: nan}}
	})
	half := cfg
	half.Grid.Method, half.Grid.BatchSize = []string{"gd"}, nil
	rs := records(half)
	for i := range rs {
		r := &rs[i]
		r.Point.SGD.Sampling = "without-replacement"
		p := r.Point
		p.BatchSize = r.Result.Data.Samples
		r.Result.Stability, r.Result.Curvature = stabilityOf(p, true, rand.New(rand.NewPCG(1, 2)))
		if i > 2 {
			r.Result, r.Status.State = nil, rundir.Pending
		}
	}
	runs["stability of gd, half done"] = fromRecords(half, rs, false, 20)
	add("probes on a logarithmic axis", true, []int64{0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024}, nil)
	odd := add("probes half measured", true, evenly(9, 10), nil)
	for _, c := range odd.curves {
		c.probes[0].Probe = rundir.NoProbe()
		c.probes[0].ProbeSamples = 10
		c.probes[1].LambdaMax, c.probes[2].LambdaMax = -3, math.Inf(1)
		c.probes[3].RatioMean, c.probes[4].RatioMeanLower, c.probes[5].RatioMeanUpper = math.Inf(-1), math.NaN(), math.Inf(1)
	}
}
