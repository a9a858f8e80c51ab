package curvature

import (
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"gonum.org/v1/gonum/floats"

	"sobolev/linop"
	"sobolev/nn"
)

// dense forms the matrix of an operator, a column at a time.
func dense(a linop.Operator) []float64 {
	n := a.Dim()
	m, x, y := make([]float64, n*n), make([]float64, n), make([]float64, n)
	for j := range n {
		x[j] = 1
		a.Apply(y, x)
		x[j] = 0
		for i, v := range y {
			m[i*n+j] = v
		}
	}
	return m
}

// randomPoint draws a network with a convolution, a batch normalisation or dense
// layers alone, one of its first layers frozen at times, and data.
func randomPoint(t *testing.T, seed uint64) *Point {
	t.Helper()
	rng := rand.New(rand.NewPCG(seed, 2))
	act := []nn.Activation{nn.Tanh, nn.GELU, nn.Softplus, nn.Sigmoid, nn.ReLU}[rng.IntN(5)]
	arch := nn.FNN(3, []int{4, 3}, 1+rng.IntN(3), act)
	if rng.IntN(2) == 0 {
		body := []nn.Layer{nn.Conv(2, 2, 1, 0), nn.BatchNorm(), nn.Activate(act), nn.Residual(1, nn.Conv(2, 3, 1, 1)), nn.Activate(act), nn.Flatten()}
		arch.Input, arch.Layers = []int{1, 3, 3}, append(body, arch.Layers[2:]...)
	}
	arch.Frozen = rng.IntN(2)
	net, err := nn.New[float64](arch)
	if err != nil {
		t.Fatal(err)
	}
	net.Initialise(nn.PyTorchInit, rng)
	data := nn.Data[float64]{N: 3 + rng.IntN(5)}
	for range data.N * net.Inputs() {
		data.X = append(data.X, rng.NormFloat64())
	}
	for range data.N * net.Outputs() {
		data.Y = append(data.Y, rng.NormFloat64())
	}
	p, err := At(net, data, nn.Loss(rng.IntN(2)), 1<<26)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// randomClassifier is randomPoint with cross-entropy and two outputs or more.
func randomClassifier(t *testing.T, seed uint64) *Point {
	t.Helper()
	p := randomPoint(t, seed)
	for ; p.Outputs() < 2; seed++ {
		p = randomPoint(t, seed+1000)
	}
	rng := rand.New(rand.NewPCG(seed, 8))
	clear(p.data.Y)
	for i := range p.Samples() {
		p.data.Y[i*p.Outputs()+rng.IntN(p.Outputs())] = 1
	}
	q, err := At(p.net, p.data, nn.CrossEntropy, 1<<26)
	if err != nil {
		t.Fatal(err)
	}
	return q
}

// jacobian returns the rows of R J, in the parameters of p.
func jacobian(p *Point) [][]float64 {
	u, full := make([]float64, p.Samples()*p.Outputs()), make([]float64, p.net.ParameterCount())
	var rows [][]float64
	for r := range u {
		u[r] = 1
		p.diff.VJP(full, u)
		u[r] = 0
		rows = append(rows, slices.Clone(full[p.from:p.to]))
	}
	return rows
}

// addGram adds scale·Σ_r row_r row_rᵀ to the w×w matrix m.
func addGram(m []float64, scale float64, rows [][]float64) {
	for _, row := range rows {
		for i, v := range row {
			floats.AddScaled(m[i*len(row):(i+1)*len(row)], scale*v, row)
		}
	}
}

func multiply(w int, a, b []float64) []float64 {
	m := make([]float64, w*w)
	for i := range w {
		for j := range w {
			floats.AddScaled(m[i*w:(i+1)*w], a[i*w+j], b[j*w:(j+1)*w])
		}
	}
	return m
}

func compare(t *testing.T, what string, got, want []float64, tol float64) {
	t.Helper()
	if d := floats.Distance(got, want, math.Inf(1)); !(d <= tol*(1e-3+floats.Norm(want, math.Inf(1)))) {
		t.Errorf("%s differs by %g of %g", what, d, floats.Norm(want, math.Inf(1)))
	}
}

// Operators, of all parameters and of single layers, against matrices that are
// formed from J, and statistics against these.
func TestOperatorsAreDenseMatrices(t *testing.T) {
	for seed := range uint64(20) {
		p := randomPoint(t, seed)
		if seed >= 12 {
			p = randomClassifier(t, seed)
		}
		hessian := dense(p.Hessian())
		testOperators(t, p, hessian, 0, p.Parameters())
		at := 0
		for l := range p.Layers() {
			q := p.Layer(l)
			testOperators(t, q, hessian, at, p.Parameters())
			at += q.Parameters()
		}
		if at != p.Parameters() {
			t.Errorf("layers %v have %d parameters of %d", p.Layers(), at, p.Parameters())
		}
	}
}

// testOperators is given the Hessian of all parameters, a matrix of stride all, in
// which those of p begin at the index at.
func testOperators(t *testing.T, p *Point, hessian []float64, at, all int) {
	t.Helper()
	w, n, c := p.Parameters(), p.Samples(), p.Outputs()
	j, s := jacobian(p), p.Scale()
	h, covariance := make([]float64, w*w), make([]float64, w*w)
	meanFrobenius, trace := 0.0, 0.0
	for i := range n {
		sample := make([]float64, w*w)
		addGram(sample, s, j[i*c:(i+1)*c])
		floats.AddScaled(h, 1/float64(n), sample)
		floats.AddScaled(covariance, 1/float64(n), multiply(w, sample, sample))
		meanFrobenius += floats.Dot(sample, sample) / float64(n)
		for r := range w {
			trace += sample[r*w+r] / float64(n)
		}
	}
	floats.Sub(covariance, multiply(w, h, h))
	compare(t, "H", dense(p.GaussNewton()), h, 1e-11)
	operator, err := p.Covariance()
	if err != nil {
		t.Fatal(err)
	}
	compare(t, "Σ", dense(operator), covariance, 1e-11)
	block := make([]float64, 0, w*w)
	for r := range w {
		block = append(block, hessian[(at+r)*all+at:][:w]...)
	}
	compare(t, "∇²L", dense(p.Hessian()), block, 1e-13)
	residual := dense(p.Residual())
	part, err := p.newResidual32()
	if err != nil {
		t.Fatal(err)
	}
	compare(t, "residual part in float32", dense(part.operator()), residual, 1e-4)
	single, err := p.Covariance32()
	if err != nil {
		t.Fatal(err)
	}
	compare(t, "Σ in float32", dense(single), covariance, 1e-4)
	floats.Add(residual, h)
	compare(t, "H + residual part", residual, block, 1e-11)

	stats, err := p.SampleStatistics()
	if err != nil {
		t.Fatal(err)
	}
	near(t, "trace", stats.Trace, trace, 1e-11, 1e-3)
	near(t, "mean ‖H_i‖_F²", stats.MeanFrobeniusSquared, meanFrobenius, 1e-11, 1e-3)
	near(t, "max ‖H_i‖", stats.MaxNorm, floats.Max(stats.Norms), 0, 0)
	k, err := p.Gram()
	if err != nil {
		t.Fatal(err)
	}
	near(t, "‖H‖_F²", p.FrobeniusSquared(k, 0, nil).Value, floats.Dot(h, h), 1e-11, 1e-3)
	gradients := p.Gradients()
	rounded, err := p.Gradients32(nil)
	if err != nil {
		t.Fatal(err)
	}
	u, column, ju := make([]float64, n*c), make([]float64, n*c), make([]float64, w)
	// Those of the last sample alone are its rows, and keep no memory from what follows.
	memory := p.Memory()
	last, err := p.Gradients32([]int{n - 1})
	if err != nil {
		t.Fatal(err)
	}
	if p.Memory() != memory {
		t.Errorf("%d bytes are left of %d", p.Memory(), memory)
	}
	for i := range ju {
		ju[i] = 1 / float64(i+1)
	}
	gradients.Times(column, ju)
	last.Times(u[:c], ju)
	compare(t, "gradients of one sample", u[:c], column[(n-1)*c:], 1e-4)
	clear(u)
	for r := range u { // K = (√s J)(√s J)ᵀ, a column at a time
		u[r] = 1
		for j, tol := range map[*Gradients]float64{gradients: 1e-11, p.Gradients(): 1e-11, rounded: 1e-4} {
			j.TransposedTimes(ju, u)
			j.Times(column, ju)
			compare(t, "column of s K", column, k[r*n*c:(r+1)*n*c], tol)
		}
		u[r] = 0
	}
	blocks, err := p.SampleBlocks()
	if err != nil {
		t.Fatal(err)
	}
	for i, v := range blocks {
		row, q := i/c, i%c
		near(t, "s K_ii", v, k[row*n*c+row/c*c+q], 1e-11, 1e-3)
	}
	v, along := make([]float64, w), make([]float64, n)
	rng := rand.New(rand.NewPCG(5, 5))
	for i := range v {
		v[i] = rng.NormFloat64()
	}
	p.DirectionalCurvatures(along, v)
	hv := make([]float64, w)
	p.GaussNewton().Apply(hv, v)
	near(t, "mean vᵀH_i v", floats.Sum(along)/float64(n), floats.Dot(v, hv), 1e-11, 1e-3)
	for i := range n {
		want := 0.0
		for _, row := range j[i*c : (i+1)*c] {
			d := floats.Dot(row, v)
			want += s * d * d
		}
		near(t, "vᵀH_i v", along[i], want, 1e-11, 1e-3)
	}
}

// Lanczos against the dense eigenvalues, at both ends.
func TestLeadingAreDenseEigenvalues(t *testing.T) {
	for seed := range uint64(8) {
		p := randomPoint(t, seed)
		w := p.Parameters()
		values, _, err := linop.EigenSym(w, dense(p.Hessian()))
		if err != nil {
			t.Fatal(err)
		}
		r, err := p.Leading(t.Context(), p.Hessian(), linop.BothEnds, 2, Options{Tolerance: 1e-10}, rand.New(rand.NewPCG(seed, 3)))
		if err != nil {
			t.Fatal(err)
		}
		if !r.Converged || len(r.Pairs) != 4 {
			t.Fatalf("%d pairs, converged %v", len(r.Pairs), r.Converged)
		}
		scale := math.Max(-values[0], values[w-1])
		for i, want := range []float64{values[w-1], values[w-2], values[0], values[1]} {
			near(t, "eigenvalue", r.Pairs[i].Value, want, 1e-8, scale)
			hv := make([]float64, w)
			p.Hessian().Apply(hv, r.Pairs[i].Vector)
			floats.AddScaled(hv, -r.Pairs[i].Value, r.Pairs[i].Vector)
			if !(floats.Norm(hv, 2) <= r.Pairs[i].Residual+1e-12*scale) {
				t.Errorf("residual %g, reported as %g", floats.Norm(hv, 2), r.Pairs[i].Residual)
			}
		}
	}
}

// The residual part's eigenvalue against dense ones: from few samples, which have no
// part to start with, and from many, where residuals of any size or none are fitted.
func TestLeadingResidualIsTheDenseEigenvalue(t *testing.T) {
	for seed := range uint64(12) {
		rng := rand.New(rand.NewPCG(seed, 6))
		arch := nn.FNN(3, []int{4, 3}, 2, []nn.Activation{nn.Tanh, nn.ReLU}[seed%2])
		arch.Frozen = int(seed / 2 % 2)
		net, err := nn.New[float64](arch)
		if err != nil {
			t.Fatal(err)
		}
		net.Initialise(nn.PyTorchInit, rng)
		data := nn.Data[float64]{N: []int{startShare * fewestResiduals, 20}[seed/4%2]}
		for range data.N * net.Inputs() {
			data.X = append(data.X, rng.NormFloat64())
		}
		for range data.N * net.Outputs() {
			data.Y = append(data.Y, math.Pow(rng.NormFloat64(), 3))
		}
		p, err := At(net, data, nn.HalfMSE, 1<<26)
		if err != nil {
			t.Fatal(err)
		}
		values, _, err := linop.EigenSym(p.Parameters(), dense(p.Residual()))
		if err != nil {
			t.Fatal(err)
		}
		largest := math.Max(values[len(values)-1], -values[0]) // of either sign: they are nearly the same at times
		for _, tol := range []float64{1e-4, 5e-2} {
			r, err := p.LeadingResidual(t.Context(), Options{Tolerance: tol}, rng)
			if err != nil {
				t.Fatal(err)
			}
			if !r.Converged || !(math.Abs(math.Abs(r.Pairs[0].Value)/largest-1) <= max(1e-4, tol)) {
				t.Errorf("seed %d: %v, converged %v; want %v to %g", seed, r.Pairs[0].Value, r.Converged, largest, tol)
			}
		}
		// Targets that are the outputs leave nothing, but for what float32 rounds.
		u := make([]float64, len(data.Y))
		p.diff.Residuals(u)
		floats.Add(data.Y, u)
		exact, err := At(net, data, nn.HalfMSE, 1<<26)
		if err != nil {
			t.Fatal(err)
		}
		if r, err := exact.LeadingResidual(t.Context(), Options{Tolerance: 1e-2}, rng); err != nil || !(math.Abs(r.Pairs[0].Value) <= 1e-5*largest) {
			t.Errorf("an interpolating network: %+v, %v", r, err)
		}
	}
}

// The summary against dense matrices, away from interpolation.
func TestSummariseAwayFromInterpolation(t *testing.T) {
	for seed := range uint64(8) {
		p := randomPoint(t, seed)
		s, err := p.Summarise(t.Context(), Options{Tolerance: 1e-10}, rand.New(rand.NewPCG(seed, 4)))
		if err != nil {
			t.Fatal(err)
		}
		w := p.Parameters()
		largest := func(a linop.Operator) float64 {
			v, _, err := linop.EigenSym(w, dense(a))
			if err != nil {
				t.Fatal(err)
			}
			return math.Max(-v[0], v[w-1])
		}
		covariance, err := p.Covariance()
		if err != nil {
			t.Fatal(err)
		}
		near(t, "residual share", s.ResidualShare, largest(p.Residual())/largest(p.GaussNewton()), 1e-8, 0)
		near(t, "non-uniformity", s.NonUniformity, math.Sqrt(largest(covariance)), 1e-8, 0)
		moments, err := p.net.GradientMoments(p.data, []int{1}, 1<<30)
		if err != nil {
			t.Fatal(err)
		}
		near(t, "trace", s.Trace, p.Scale()*moments[0].SumW, 1e-12, 0) // g_W² of half-mse
		for l, share := range moments[0].Layers {
			if name := p.Layers()[l]; name != share.Name {
				t.Errorf("layer %d is %s, in moments %s", l, name, share.Name)
			}
			layer, err := p.Layer(l).SampleStatistics()
			if err != nil {
				t.Fatal(err)
			}
			near(t, "trace of "+share.Name, layer.Trace, p.Scale()*(share.SumWeight+share.SumBias), 1e-12, 0)
		}
		if len(s.Warnings) > 0 {
			t.Errorf("warnings %q", s.Warnings)
		}
		short, err := p.Summarise(t.Context(), Options{MaxSteps: 1}, rand.New(rand.NewPCG(seed, 4)))
		if err != nil || len(short.Warnings) == 0 || short.LambdaMax.Converged {
			t.Errorf("one step: %v, warnings %q", err, short.Warnings)
		}
	}
}

// A linear network has no residual part, wherever its targets are, and one sample
// no covariance.
func TestSummariseOfALinearNetwork(t *testing.T) {
	net, err := nn.New[float64](nn.FNN(3, nil, 2, nn.Identity))
	if err != nil {
		t.Fatal(err)
	}
	data := nn.Data[float64]{N: 1, X: []float64{1, 2, 3}, Y: []float64{4, 5}}
	p, err := At(net, data, nn.HalfMSE, 1<<26)
	if err != nil {
		t.Fatal(err)
	}
	s, err := p.Summarise(t.Context(), Options{}, rand.New(rand.NewPCG(1, 1)))
	if err != nil {
		t.Fatal(err)
	}
	// J_i = (x, 1) for each output by itself: H has the eigenvalue ‖x‖²+1 twice.
	near(t, "λ_max", s.LambdaMax.Value, 15, 1e-12, 0)
	near(t, "trace", s.Trace, 30, 1e-12, 0)
	near(t, "‖H_i‖", s.MaxNorm, 15, 1e-12, 0)
	near(t, "mean ‖H_i‖_F²", s.MeanFrobeniusSquared, 450, 1e-12, 0)
	near(t, "residual share", s.ResidualShare, 0, 1e-12, 1)
	near(t, "non-uniformity", s.NonUniformity, 0, 1e-6, 1)
	if len(s.Warnings) > 0 {
		t.Errorf("warnings %q", s.Warnings)
	}
}

// The intervals of stochastic estimates from the operators cover exact values in
// about 95% of the cases, at least 88% of 300: three standard deviations below.
func TestEstimatesCoverExactValues(t *testing.T) {
	_, net, data := readGolden(t, "fnn-scalar")
	p, err := At(net, data, nn.HalfMSE, 1<<26)
	if err != nil {
		t.Fatal(err)
	}
	stats, err := p.SampleStatistics()
	if err != nil {
		t.Fatal(err)
	}
	k, err := p.Gram()
	if err != nil {
		t.Fatal(err)
	}
	frobenius := p.FrobeniusSquared(k, 0, nil).Value
	const repetitions, least = 300, 264
	var traces, norms, densities int
	var normValues []float64
	rng := rand.New(rand.NewPCG(6, 6))
	for range repetitions {
		trace, err := linop.Hutchinson(t.Context(), p.GaussNewton(), 30, rng)
		if err != nil {
			t.Fatal(err)
		}
		traces += covers(trace, stats.Trace)
		norm := p.FrobeniusSquared(nil, 30, rng)
		norms += covers(norm, frobenius)
		normValues = append(normValues, norm.Value)
		density, err := linop.StochasticLanczos(t.Context(), p.GaussNewton(), 8, 10, rng)
		if err != nil {
			t.Fatal(err)
		}
		second := density.Integral(func(l float64) float64 { return l * l })
		densities += covers(second, frobenius/float64(p.Parameters()))
	}
	// Together they are one estimate that is much sharper, without bias.
	if all := meanOf(normValues); !(math.Abs(all.Value-frobenius) <= 4*all.SE) || !(all.SE <= 0.02*frobenius) {
		t.Errorf("‖H‖_F² is %v ± %v, want %v", all.Value, all.SE, frobenius)
	}
	if traces < least || norms < least || densities < least {
		t.Errorf("of %d intervals %d cover the trace, %d the Frobenius norm, %d the density's second moment", repetitions, traces, norms, densities)
	}
}

func covers(e linop.Estimate, value float64) int {
	if e.CI95[0] <= value && value <= e.CI95[1] {
		return 1
	}
	return 0
}

func TestAtRefuses(t *testing.T) {
	arch := nn.Architecture{Input: []int{1, 3, 3}, Layers: []nn.Layer{nn.Conv(2, 2, 1, 0), nn.BatchNorm(), nn.Flatten(), nn.Linear(1)}}
	net, err := nn.New[float64](arch)
	if err != nil {
		t.Fatal(err)
	}
	data := nn.Data[float64]{N: 2, X: make([]float64, 18), Y: make([]float64, 2)}
	net.UseBatchStatistics(true)
	if _, err := At(net, data, nn.MSE, 1<<26); !errors.Is(err, nn.ErrBatchStatistics) {
		t.Errorf("batch statistics: %v", err)
	}
	net.UseBatchStatistics(false)
	if _, err := At(net, data, nn.MSE, 1000); err == nil {
		t.Error("no memory: no error")
	}
	p, err := At(net, data, nn.MSE, 1<<26)
	if err != nil {
		t.Fatal(err)
	}
	flat := make([]float64, net.ParameterCount())
	for i := range flat {
		flat[i] = math.NaN()
	}
	net.SetParameters(flat)
	if _, err := p.Summarise(t.Context(), Options{}, rand.New(rand.NewPCG(1, 1))); err == nil {
		t.Error("a network that is not a number: no error")
	}
}
