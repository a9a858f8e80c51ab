package report

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"sobolev/rundir"
)

// minis are the charts of a solution: its training, its spectrum, its stability; with
// every recorded value for the script if whole, else with those that a still shows.
func (s *solution) minis(history []rundir.HistoryRow, whole bool) []mini {
	var found []mini
	add := func(m mini) {
		if m, ok := newMini(m, whole); ok {
			found = append(found, m)
		}
	}
	add(lossMini(history))
	nan := math.NaN()
	probes := withProbe(history)
	line := func(label string, value, lower, upper func(rundir.Probe) float64) miniLine {
		l := miniLine{label: label}
		for _, row := range probes {
			l.x, l.y = append(l.x, float64(row.Step)), append(l.y, value(row.Probe))
			if lower != nil {
				l.lower, l.upper = append(l.lower, lower(row.Probe)), append(l.upper, upper(row.Probe))
			}
		}
		return l
	}
	edge := 2 / s.Point.LearningRate
	on := ""
	if len(probes) > 0 {
		on = fmt.Sprintf(" On %s.", plural(int(probes[0].ProbeSamples), "training sample", "training samples"))
	}
	percent := func(share func(rundir.Probe) float64) func(rundir.Probe) float64 {
		return func(p rundir.Probe) float64 { return 100 * share(p) }
	}
	train := line("training samples", percent(func(p rundir.Probe) float64 { return p.TrainAccuracy }), nil, nil)
	train.faint = true
	add(mini{Heading: "Accuracy in training (%)", Caption: "The share that is classified right: of training samples (faint) and of at most as many test samples." + on,
		x: "step", lines: []miniLine{train, line("test samples", percent(func(p rundir.Probe) float64 { return p.TestAccuracy }), nil, nil)}, limit: nan})
	add(mini{Heading: "Sharpness λ_max in training", Caption: "The largest eigenvalue of the Hessian of the configured loss; dashed: 2/η, above which gradient descent is unstable." + on,
		x: "step", lines: []miniLine{line("λ_{max}", func(p rundir.Probe) float64 { return p.LambdaMax }, nil, nil)}, limit: edge, limitName: "2 / η"})
	add(mini{Heading: "Batch sharpness in training", Caption: "The mean of gᵀHg/‖g‖² over batches with its 95% interval; dashed: 2/η." + on,
		x: "step", lines: []miniLine{line("batch sharpness", func(p rundir.Probe) float64 { return p.RatioMean }, func(p rundir.Probe) float64 { return p.RatioMeanLower }, func(p rundir.Probe) float64 { return p.RatioMeanUpper })}, limit: edge, limitName: "2 / η"})
	add(mini{Heading: "g_W (k=1) in training", Caption: "The moment of the gradients in the parameters, of order 2." + on,
		x: "step", lines: []miniLine{line("g_{W}", func(p rundir.Probe) float64 { return p.GW }, nil, nil)}, limit: nan})
	add(mini{Heading: "g_x (k=1) in training", Caption: "The moment of the gradients in the input, of order 2." + on,
		x: "step", lines: []miniLine{line("g_{x}", func(p rundir.Probe) float64 { return p.GX }, nil, nil)}, limit: nan})
	add(s.spectrumMini())
	add(s.frontierMini())
	add(s.ordersMini())
	add(s.lyapunovMini())
	return found
}

// lossMini is the training loss as it is recorded and, where that has more rows than
// the drawing has room for, their average.
func lossMini(history []rundir.HistoryRow) mini {
	recorded := miniLine{label: "batch loss"}
	for _, row := range history {
		if drawable(row.BatchLoss) {
			recorded.x, recorded.y = append(recorded.x, float64(row.Step)), append(recorded.y, row.BatchLoss)
		}
	}
	m := mini{Heading: "Training loss", Caption: "The mean loss of the batches since the row before.", x: "step", lines: []miniLine{recorded}, limit: math.NaN(), logX: true, logY: true}
	if average := thin(history); len(average.steps) < len(recorded.x) {
		m.lines[0].faint = true
		m.lines = append(m.lines, miniLine{x: average.steps, y: average.loss, guide: true})
		m.Caption = "The mean loss of the batches since the row before: faint, as recorded; the line is averaged within equal widths of log step."
	}
	return m
}

func (s *solution) spectrumMini() mini {
	m := mini{Heading: "Spectrum", Caption: "The largest eigenvalues of the Gauss–Newton matrix of the configured loss, in descending order; dashed: 2/η.", x: "number", limit: 2 / s.Point.LearningRate, limitName: "2 / η", logY: true, logX: true}
	if s.Result == nil || s.Result.Spectrum == nil {
		return m
	}
	l := miniLine{label: "eigenvalue", dots: len(s.Result.Spectrum.Eigenvalues) <= 60}
	for i, v := range s.Result.Spectrum.Eigenvalues {
		l.x, l.y = append(l.x, float64(i+1)), append(l.y, float64(v))
	}
	m.lines = []miniLine{l}
	return m
}

func (s *solution) frontierMini() mini {
	m := mini{Heading: "Frontier of stability", Caption: "The largest learning rate η*_var that is mean-square stable with batches of B samples, with its bounds where it is not exact; dashed: the η it was trained with, a square at its B.",
		x: "batch size B", limit: s.Point.LearningRate, limitName: "trained with η", mark: s.batch(), logX: true, logY: true}
	l := miniLine{label: "η*_{var}"}
	for _, p := range frontier(s) {
		l.x, l.y = append(l.x, p.x), append(l.y, p.value)
		l.lower, l.upper = append(l.lower, p.lower), append(l.upper, p.upper)
	}
	m.lines = []miniLine{l}
	return m
}

func (s *solution) ordersMini() mini {
	m := mini{Heading: "Stability of every order", Caption: "The largest learning rate that is stable of order k, with its bounds where it is not exact; dashed: the η it was trained with.",
		x: "order k", limit: s.Point.LearningRate, limitName: "trained with η", logY: true}
	st := s.stability()
	if st == nil {
		return m
	}
	l := miniLine{label: "stable up to η"}
	for _, o := range st.Orders {
		l.x, l.y = append(l.x, float64(o.K)), append(l.y, float64(o.EtaUpper))
		l.lower, l.upper = append(l.lower, float64(o.EtaLower)), append(l.upper, float64(o.EtaUpper))
	}
	m.lines = []miniLine{l}
	return m
}

func (s *solution) lyapunovMini() mini {
	m := mini{Heading: "Lyapunov exponent", Caption: "The growth rate of a typical path of linearised SGD per step, over the learning rate, with its 95% interval: below 0 (dashed) it returns, also where rare paths carry the mean square away.",
		x: "learning rate η", limit: 0, logX: true}
	st := s.stability()
	if st == nil {
		return m
	}
	known := slices.SortedFunc(slices.Values(st.Lyapunov), func(a, b rundir.LyapunovExponent) int {
		return cmp.Compare(a.LearningRate, b.LearningRate)
	})
	l := miniLine{label: "Lyapunov exponent"}
	for _, e := range known {
		l.x, l.y = append(l.x, float64(e.LearningRate)), append(l.y, float64(e.Value))
		l.lower, l.upper = append(l.lower, float64(e.CI95[0])), append(l.upper, float64(e.CI95[1]))
	}
	m.lines = []miniLine{l}
	return m
}
