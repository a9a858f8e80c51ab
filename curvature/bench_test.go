package curvature

import (
	"math/rand/v2"
	"testing"

	"sobolev/nn"
)

// paperPoint is the paper's network on 400 samples of five classes, inputs half
// zeros as FashionMNIST's are.
func paperPoint(b *testing.B) *Point {
	net, err := nn.New[float64](nn.FNN(784, []int{500, 500, 500}, 5, nn.ReLU))
	if err != nil {
		b.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(1, 1))
	net.Initialise(nn.PyTorchInit, rng)
	data := nn.Data[float64]{N: 400, X: make([]float64, 400*784), Y: make([]float64, 400*5)}
	for i := range data.X {
		data.X[i] = max(0, 2*rng.Float64()-1)
	}
	for i := range data.N {
		data.Y[5*i+i%5] = 1
	}
	p, err := At(net, data, nn.MSE, 1<<30)
	if err != nil {
		b.Fatal(err)
	}
	return p
}

func BenchmarkSummarise(b *testing.B) {
	p := paperPoint(b)
	for b.Loop() {
		s, err := p.Summarise(b.Context(), Options{}, rand.New(rand.NewPCG(2, 2)))
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(s.LambdaMax.Products), "products-H")
		b.ReportMetric(float64(s.CovarianceMax.Products), "products-covariance")
		b.ReportMetric(float64(s.ResidualMax.Products), "products-residual")
	}
}

func BenchmarkSpectrum(b *testing.B) {
	p := paperPoint(b)
	for b.Loop() {
		k, err := p.Gram()
		if err != nil {
			b.Fatal(err)
		}
		if _, err := p.Spectrum(k); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkBatchSharpness(b *testing.B) {
	p := paperPoint(b)
	for b.Loop() {
		s, err := p.BatchSharpness(b.Context(), SharpnessOptions{Batch: 20}, rand.New(rand.NewPCG(2, 2)))
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(s.RatioMean.Draws), "batches")
	}
}
