package nn

import (
	"fmt"
	"reflect"
	"testing"
)

// What passes over a whole data set has the same bits for any number of workers.
func TestWorkersChangeNoBit(t *testing.T) {
	kinds := map[string]bool{}
	for seed := range uint64(24) {
		net, small := randomNetwork[float64](seed)
		for _, s := range net.stages {
			kinds[fmt.Sprintf("%T", s)] = true
		}
		// Several blocks, the last one short.
		const n = 2*evaluationBlock + 9
		data := Data[float64]{N: n}
		for i := range n {
			data.X = append(data.X, small.input(i%small.N, net.Inputs())...)
			data.Y = append(data.Y, small.target(i%small.N, net.Outputs())...)
		}
		for i := range data.X {
			data.X[i] += float64(i%7) / 16
		}
		var want []any
		for _, workers := range []int{1, 2, 3} {
			net.Workers = workers
			got := passesOver(t, net, data)
			if workers == 1 {
				want = got
			}
			for k := range want {
				if !reflect.DeepEqual(got[k], want[k]) {
					t.Errorf("seed %d: %d workers change result %d", seed, workers, k)
				}
			}
		}
	}
	for _, kind := range []string{"dense", "conv", "convPool", "batchNorm", "join"} {
		if !kinds[fmt.Sprintf("*nn.%s[float64]", kind)] {
			t.Errorf("no network has a %s", kind)
		}
	}
}

// passesOver returns the results of everything that workers share.
func passesOver(t *testing.T, net *Network[float64], data Data[float64]) []any {
	t.Helper()
	fit, err := net.NewEvaluator().Fit(data, HalfMSE)
	if err != nil {
		t.Fatal(err)
	}
	moments, err := net.GradientMoments(data, []int{1, 2, 3}, 1<<28)
	if err != nil {
		t.Fatal(err)
	}
	few := Data[float64]{N: 40, X: data.X[:40*net.Inputs()], Y: data.Y[:40*net.Outputs()]}
	gram, err := net.Gram(few, HalfMSE, nil, 1<<28)
	if err != nil {
		t.Fatal(err)
	}
	d, err := net.NewDifferential(data, HalfMSE, 1<<28)
	if err != nil {
		t.Fatal(err)
	}
	if len(d.lanes) != max(1, net.Workers) {
		t.Errorf("%d lanes for %d workers", len(d.lanes), net.Workers)
	}
	w, nc := net.ParameterCount(), data.N*net.Outputs()
	v, u := make([]float64, w), make([]float64, nc)
	for i := range v {
		v[i] = float64(i%5) - 1.5
	}
	for i := range u {
		u[i] = float64(i%3) - 0.7
	}
	fit.Accuracy = 0 // NaN
	sums, err := net.CoordinateSums(data, HalfMSE, 3, 1<<28)
	if err != nil {
		t.Fatal(err)
	}
	results := []any{fit, moments, gram, sums}
	jv := make([]float64, nc)
	d.JVP(jv, v)
	results = append(results, jv)
	for _, product := range []func(dst []float64){
		func(dst []float64) { d.VJP(dst, u) },
		func(dst []float64) { d.GaussNewton(dst, v) },
		func(dst []float64) { d.Hessian(dst, v) },
		func(dst []float64) { d.Gradient(dst) },
	} {
		dst := make([]float64, w)
		product(dst)
		results = append(results, dst)
	}
	return results
}
