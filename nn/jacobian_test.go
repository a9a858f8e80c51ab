package nn

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// Products with the factors are those with J formed explicitly; neither the number
// of workers nor too little memory for all factors at once moves a bit.
func TestJacobianFromFactors(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		seed := rapid.Uint64().Draw(t, "seed")
		net, data := randomNetwork[float64](seed)
		for !net.HasJacobian(data.N) { // for dense layers alone
			seed++
			net, data = randomNetwork[float64](seed)
		}
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "vectors"), 0))
		rows := jacobian(net, data)
		v, u := gaussian(rng, net.ParameterCount()), gaussian(rng, len(rows))
		wantJv, wantJu := make([]float64, len(rows)), make([]float64, len(v))
		for r, row := range rows {
			wantJv[r] = dot(row, v)
			for k, x := range row {
				wantJu[k] += u[r] * x
			}
		}
		var first [2][]float64
		for _, workers := range []int{1, 2, 3} {
			j, err := net.NewJacobian(data, HalfMSE, net.JacobianBytes(data.N))
			if err != nil || j.meters != nil {
				t.Fatalf("%v; factors computed again: %v", err, j.meters != nil)
			}
			net.Workers = workers
			jv, ju := make([]float64, len(rows)), gaussian(rng, len(v))
			for range 2 { // nothing of the first product stays
				j.Times(jv, v)
				j.TransposedTimes(ju, u)
			}
			if workers == 1 {
				first = [2][]float64{jv, ju}
				closeTo(t, "J v", jv, wantJv, 1e-11, 1e-3)
				closeTo(t, "Jᵀ u", ju, wantJu, 1e-11, 1e-3)
			}
			if !slices.Equal(jv, first[0]) || !slices.Equal(ju, first[1]) {
				t.Fatalf("%d workers change bits", workers)
			}
		}
	})
}

// Where memory holds the factors of some samples only, products have the same bits, and
// for any number of workers. Blocks are those of passes.
func TestJacobianInLittleMemory(t *testing.T) {
	rng := rand.New(rand.NewPCG(4, 0))
	net, err := New[float64](FNN(30, []int{sliceOutputs + 30, 20}, 3, Tanh))
	if err != nil {
		t.Fatal(err)
	}
	net.Initialise(HeInit, rng)
	const n = 3*evaluationBlock - 5
	data := Data[float64]{N: n, X: gaussian(rng, 30*n), Y: make([]float64, 3*n)}
	for i := range n {
		data.Y[3*i+i%3] = 1 // cross-entropy needs classes
	}
	for _, loss := range []Loss{HalfMSE, CrossEntropy} {
		testJacobianInLittleMemory(t, net, data, loss, rng)
	}
	if _, err := net.NewJacobian(data, HalfMSE, net.JacobianBytes(1)-1); err == nil {
		t.Error("a Jacobian without memory")
	}
}

func testJacobianInLittleMemory(t *testing.T, net *Network[float64], data Data[float64], loss Loss, rng *rand.Rand) {
	v, u := gaussian(rng, net.ParameterCount()), gaussian(rng, data.N*net.Outputs())
	d, err := net.NewDifferential(data, loss, 1<<30)
	if err != nil {
		t.Fatal(err)
	}
	want := [3][]float64{make([]float64, len(u)), make([]float64, len(v))}
	d.JVP(want[0], v)
	d.VJP(want[1], u)
	blocks, err := net.GramBlocks(data, loss, nil, 1<<30)
	if err != nil {
		t.Fatal(err)
	}
	want[2] = blocks
	var first [3][]float64
	for k, samples := range []int{data.N, 2 * evaluationBlock, data.N, data.N, 2 * evaluationBlock} {
		net.Workers = []int{1, 1, 2, 3, 2}[k]
		memory := net.JacobianBytes(samples)
		if samples == data.N {
			memory += net.FillBytes()
		}
		j, err := net.NewJacobian(data, loss, memory)
		if err != nil {
			t.Fatal(err)
		}
		if again := j.meters != nil; again != (samples < data.N) {
			t.Fatalf("factors of %d samples by %d workers: computed again: %v", samples, net.Workers, again)
		}
		got := [3][]float64{make([]float64, len(u)), make([]float64, len(v)), nil}
		j.Times(got[0], v)
		j.TransposedTimes(got[1], u)
		got[2] = j.Blocks()
		if k == 0 {
			first = got
		}
		for k, values := range want {
			if !slices.Equal(got[k], first[k]) {
				t.Errorf("%v: the bits depend on the memory or the workers", loss)
			}
			largest := slices.Max(values)
			for i, w := range values {
				if !(math.Abs(got[k][i]-w) <= 1e-12*largest) {
					t.Fatalf("%v: element %d of product %d is %v; by passes %v", loss, i, k, got[k][i], w)
				}
			}
		}
	}
}
