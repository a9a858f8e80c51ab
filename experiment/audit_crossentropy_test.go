package experiment

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"gonum.org/v1/gonum/floats"

	"sobolev/linop"
	"sobolev/nn"
)

// classifier is a network of random weights on random samples of three classes, as
// its files and in memory.
func classifier(t *testing.T) (AuditOptions, *nn.Network[float64], nn.Data[float64]) {
	t.Helper()
	const n, d, c = 7, 3, 3
	net, err := nn.New[float64](nn.FNN(d, []int{4}, c, nn.Tanh))
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(3, 1))
	net.Initialise(nn.XavierInit, rng)
	data := nn.Data[float64]{N: n, Y: make([]float64, n*c), Classification: true}
	x, labels := make([]float32, n*d), make([]int64, n)
	for i := range x {
		x[i] = float32(rng.NormFloat64())
		data.X = append(data.X, float64(x[i]))
	}
	for i := range labels {
		labels[i] = int64(i % c)
		data.Y[i*c+i%c] = 1
	}
	return AuditOptions{
		Model: writeTensors(t, net.Tensors()), Activation: "tanh", Data: writeNPZ(t, map[string]array{"x": {[]int{n, d}, x}, "y": {[]int{n}, labels}}),
		LearningRate: 0.3, BatchSize: 2, Loss: "cross-entropy",
	}, net, data
}

// sampleCurvatures forms H_i = J_iᵀ (diag p − p pᵀ) J_i, w×w each, from the Jacobian of
// the outputs, and the mean cross-entropy and accuracy by their definitions.
func sampleCurvatures(t *testing.T, net *nn.Network[float64], data nn.Data[float64]) (h [][]float64, loss, accuracy float64) {
	t.Helper()
	diff, err := net.NewDifferential(data, nn.HalfMSE, 1<<26)
	if err != nil {
		t.Fatal(err)
	}
	w, c := net.ParameterCount(), net.Outputs()
	f, unit := make([]float64, data.N*c), make([]float64, data.N*c)
	diff.Residuals(f)
	floats.Add(f, data.Y)
	for i := range data.N {
		j, p, sum := make([][]float64, c), make([]float64, c), 0.0
		for o := range c {
			j[o] = make([]float64, w)
			unit[i*c+o] = 1
			diff.VJP(j[o], unit)
			unit[i*c+o] = 0
			p[o] = math.Exp(f[i*c+o])
			sum += p[o]
		}
		floats.Scale(1/sum, p)
		m := make([]float64, w*w)
		for o := range c {
			for q := range c {
				weight := -p[o] * p[q]
				if o == q {
					weight += p[o]
				}
				for a, v := range j[o] {
					floats.AddScaled(m[a*w:(a+1)*w], weight*v, j[q])
				}
			}
		}
		h = append(h, m)
		loss -= floats.Dot(data.Y[i*c:(i+1)*c], logs(p)) / float64(data.N)
		if floats.MaxIdx(p) == floats.MaxIdx(data.Y[i*c:(i+1)*c]) {
			accuracy += 1 / float64(data.N)
		}
	}
	return h, loss, accuracy
}

func logs(p []float64) []float64 {
	l := make([]float64, len(p))
	for i, v := range p {
		l[i] = math.Log(v)
	}
	return l
}

// kroneckerThreshold is 2/λ_max(C⁺D) of theory's pencil, on the whole square of the
// span: D = (1−p) H⊗H + (p/n) Σ H_i⊗H_i and C = (H⊗I + I⊗H)/2 in the eigenbasis of H.
func kroneckerThreshold(t *testing.T, h [][]float64, w, batch int, replacement bool) float64 {
	t.Helper()
	n := float64(len(h))
	p := (n - float64(batch)) / (float64(batch) * (n - 1))
	if replacement {
		p = 1 / float64(batch)
	}
	mean := make([]float64, w*w)
	for _, m := range h {
		floats.AddScaled(mean, 1/n, m)
	}
	values, vectors, err := linop.EigenSym(w, mean)
	if err != nil {
		t.Fatal(err)
	}
	var span []int
	for k, v := range values {
		if v > 1e-10*values[w-1] {
			span = append(span, k)
		}
	}
	r := len(span)
	inSpan := func(m []float64) []float64 {
		out := make([]float64, r*r)
		for a, ka := range span {
			for b, kb := range span {
				for i := range w {
					for j := range w {
						out[a*r+b] += vectors[ka*w+i] * m[i*w+j] * vectors[kb*w+j]
					}
				}
			}
		}
		return out
	}
	pencil := make([]float64, r*r*r*r)
	add := func(weight float64, m []float64) {
		for a := range r {
			for b := range r {
				for c := range r {
					for d := range r {
						pencil[(a*r+b)*r*r+c*r+d] += weight * m[a*r+c] * m[b*r+d]
					}
				}
			}
		}
	}
	add(1-p, inSpan(mean))
	for _, m := range h {
		add(p/n, inSpan(m))
	}
	root := func(k int) float64 { return math.Sqrt((values[span[k/r]] + values[span[k%r]]) / 2) }
	for k := range r * r {
		for l := range r * r {
			pencil[k*r*r+l] /= root(k) * root(l)
		}
	}
	top, _, err := linop.EigenSym(r*r, pencil)
	if err != nil {
		t.Fatal(err)
	}
	return 2 / top[r*r-1]
}

// Fit, curvature and thresholds of cross-entropy against matrices of all parameters,
// and the statements about interpolation, none of which apply.
func TestAuditOfCrossEntropy(t *testing.T) {
	o, net, data := classifier(t)
	h, loss, accuracy := sampleCurvatures(t, net, data)
	w := net.ParameterCount()
	mean, trace := make([]float64, w*w), 0.0
	for _, m := range h {
		floats.AddScaled(mean, 1/float64(data.N), m)
	}
	for k := range w {
		trace += mean[k*w+k]
	}
	values, _, err := linop.EigenSym(w, mean)
	if err != nil {
		t.Fatal(err)
	}
	for _, replacement := range []bool{false, true} {
		o.Sampling = sampling(replacement)
		o.Radius = 0.05
		r := auditOf(t, o)
		near(t, "loss", r.Fit.Loss, loss, 1e-12)
		near(t, "accuracy", *r.Fit.Accuracy, accuracy, 1e-12)
		near(t, "trace", r.Curvature.Trace, trace, 1e-10)
		near(t, "λ_max", *r.Curvature.LambdaMax, values[w-1], 1e-10)
		near(t, "η_mean", r.Stability.EtaMean, 2/values[w-1], 1e-10)
		near(t, "effective learning rate", r.Convention.EffectiveLearningRate, 0.3, 0)
		near(t, "η*_var, "+o.Sampling, r.Stability.EtaVar.Value, kroneckerThreshold(t, h, w, 2, replacement), 1e-6)
		near(t, "spectrum", r.Spectrum.Eigenvalues[3], values[w-4], 1e-9)
		if r.Fit.Interpolates || *r.Curvature.Rank > data.N*(net.Outputs()-1) {
			t.Errorf("interpolates: %v, rank %d", r.Fit.Interpolates, *r.Curvature.Rank)
		}
		for _, b := range r.Bounds {
			aboutGradients := slices.Contains([]string{"proposition 2", "corollary 4", "equation 6", "proposition 3", "corollary 5"}, b.Statement)
			if b.Applies != aboutGradients || !b.Applies && (b.Status != "does-not-apply" || !strings.Contains(b.WhyNot, "linearisation at a point that does not interpolate; Theorems 2–7 do not apply")) {
				t.Errorf("%s, k = %d: %s, because %q", b.Statement, b.K, b.Status, b.WhyNot)
			}
		}
		if said := fmt.Sprint(r.Warnings); !strings.Contains(said, "linearisation at a point that does not interpolate; Theorems 2–7 do not apply") || !strings.Contains(said, "logits") {
			t.Error(said)
		}
		if got := o.Verdict(r); !strings.Contains(got, "linearised at a point that does not interpolate") {
			t.Error(got)
		}
	}
}

// The residual part is that of the Hessian of the cross-entropy, and the moments are
// those of the logits: what half-mse has.
func TestAuditOfCrossEntropyResidualShareAndMoments(t *testing.T) {
	o, net, data := classifier(t)
	diff, err := net.NewDifferential(data, nn.CrossEntropy, 1<<26)
	if err != nil {
		t.Fatal(err)
	}
	w := net.ParameterCount()
	start, residual := make([]float64, w), make([]float64, w*w)
	net.CopyParameters(start)
	const step = 1e-5
	for k := range w { // columns of ∇²L, by differences of ∇L
		for _, sign := range []float64{1, -1} {
			shifted, g := append([]float64{}, start...), make([]float64, w)
			shifted[k] += sign * step
			net.SetParameters(shifted)
			diff.Gradient(g)
			for i, v := range g {
				residual[i*w+k] += sign * v / (2 * step)
			}
		}
	}
	net.SetParameters(start)
	h, _, _ := sampleCurvatures(t, net, data)
	mean := make([]float64, w*w)
	for _, m := range h {
		floats.AddScaled(mean, 1/float64(data.N), m)
	}
	floats.Sub(residual, mean)
	for i := range w { // differences are not quite symmetric
		for j := range i {
			residual[i*w+j] = (residual[i*w+j] + residual[j*w+i]) / 2
			residual[j*w+i] = residual[i*w+j]
		}
	}
	part, _, err := linop.EigenSym(w, residual)
	if err != nil {
		t.Fatal(err)
	}
	whole, _, err := linop.EigenSym(w, mean)
	if err != nil {
		t.Fatal(err)
	}
	r := auditOf(t, o)
	// To the tolerance of its Lanczos, squared.
	near(t, "residual share", *r.Curvature.ResidualShare, math.Max(part[w-1], -part[0])/whole[w-1], 3e-3)
	o.Loss = "half-mse"
	other := auditOf(t, o)
	for j, m := range r.Moments {
		near(t, "g_W", m.GW, float64(other.Moments[j].GW), 1e-15)
		near(t, "g_x", m.GX, float64(other.Moments[j].GX), 1e-15)
	}
	if near(t, "accuracy", *other.Fit.Accuracy, float64(*r.Fit.Accuracy), 0); other.Fit.Loss == r.Fit.Loss {
		t.Error("both losses have the same value")
	}
}

// A bracket from products alone holds the threshold that the Gram matrix gives.
func TestAuditOfCrossEntropyByProducts(t *testing.T) {
	o, _, _ := classifier(t)
	exact := auditOf(t, o).Stability.EtaVar.Value
	cfg, err := o.config()
	if err != nil {
		t.Fatal(err)
	}
	cfg.Measure.ExactLimit = 1
	a := &audit{AuditOptions: o, config: cfg, memory: 1 << 30, tolerance: interpolationTolerance}
	if err := a.load(t.Context()); err != nil {
		t.Fatal(err)
	}
	r, err := a.measure(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if e := r.Stability.EtaVar; e.Exact || !(e.Lower <= exact && exact <= e.Upper) || !(e.Upper < 2*e.Lower) {
		t.Errorf("bracket %+v of %v", e, exact)
	}
}
