package nn

import (
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// products returns J Jᵀ of an explicit J, of the columns from … to.
func products(j [][]float64, from, to int) []float64 {
	k := make([]float64, len(j)*len(j))
	for r := range j {
		for s := range j {
			k[r*len(j)+s] = dot(j[r][from:to], j[s][from:to])
		}
	}
	return k
}

// columnsOf returns the range of the parameters of a layer that trains.
func columnsOf(net *Network[float64], layer int) (from, to int) {
	for j := range net.frozen + layer {
		from += net.gradientSize(j)
	}
	return from, from + net.gradientSize(net.frozen+layer)
}

// patchSeed is that of a random network with a convolution for which products of
// patches are cheaper than gradients.
const patchSeed = 9

// The Gram matrix and its diagonal blocks against J formed explicitly, for all
// layers and for one.
func TestGramIsThatOfExplicitGradients(t *testing.T) {
	forms := map[bool]int{}
	first := true
	rapid.Check(t, func(t *rapid.T) {
		seed := rapid.Uint64().Draw(t, "seed")
		if first { // a convolution whose form is that of patches, however few cases are drawn
			first, seed = false, patchSeed
		}
		net, data := randomNetwork[float64](seed)
		j, c := jacobian(net, data), net.Outputs()
		compare := func(layers []int, from, to int) {
			k, err := net.Gram(data, MSE, layers, 1<<30)
			if err != nil {
				t.Fatal(err)
			}
			want := products(j, from, to)
			closeTo(t, "K", k, want, 1e-12, 1e-20)
			blocks, err := net.GramBlocks(data, MSE, layers, 1<<30)
			if err != nil {
				t.Fatal(err)
			}
			var diagonal []float64
			for i := range data.N {
				for o := range c {
					at := (i*c+o)*len(j) + i*c
					diagonal = append(diagonal, want[at:at+c]...)
				}
			}
			closeTo(t, "K_ii", blocks, diagonal, 1e-12, 1e-20)
		}
		compare(nil, 0, net.ParameterCount())
		layer := rapid.IntRange(0, len(net.training())-1).Draw(t, "layer")
		from, to := columnsOf(net, layer)
		compare([]int{layer}, from, to)
		for l := range net.layers {
			if f := newLayerFactors(net, l); f.positions != 1 {
				forms[f.positions > 0]++
			}
		}
	})
	if manyCases() && (forms[true] == 0 || forms[false] == 0) {
		t.Errorf("layers with patches and with gradients: %v; need both", forms)
	}
}

// The blocks follow the memory; the bits do not.
func TestGramDoesNotDependOnMemory(t *testing.T) {
	cut := 0
	for seed := range uint64(24) {
		net, data := randomNetwork[float64](seed)
		want, err := net.Gram(data, MSE, nil, 1<<30)
		if err != nil {
			t.Fatal(err)
		}
		g := &gramPass[float64]{net: net, data: data, layers: net.layerIndices(nil), block: 1}
		m := int64(data.N * net.Outputs())
		least := 8*m*m + g.bytes()
		for _, memory := range []int64{least, least * 4 / 3} {
			got, err := net.Gram(data, MSE, nil, memory)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(got, want) {
				t.Fatalf("K with %d bytes of memory differs (%+v)", memory, net.Architecture)
			}
			if err := g.cut(memory); err == nil && g.block < data.N {
				cut++
			}
		}
		if _, err := net.Gram(data, MSE, nil, least-1); err == nil {
			t.Fatal("K without enough memory: no error")
		}
	}
	if cut == 0 {
		t.Error("no matrix was computed in blocks")
	}
}

// Networks large enough for several strips, in both precisions.
func TestGramOfManySamples(t *testing.T) {
	net, err := New[float64](FNN(7, []int{9}, 3, Tanh))
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(9, 1))
	net.Initialise(PyTorchInit, rng)
	data := Data[float64]{N: 190, X: gaussian(rng, 190*7), Y: gaussian(rng, 190*3)}
	j := jacobian(net, data)
	want := products(j, 0, net.ParameterCount())
	k, err := net.Gram(data, MSE, nil, 1<<30)
	if err != nil {
		t.Fatal(err)
	}
	single := make([]float32, net.ParameterCount())
	flat := make([]float64, net.ParameterCount())
	net.CopyParameters(flat)
	for i, v := range flat {
		single[i] = float32(v)
	}
	net32, _ := New[float32](net.Architecture)
	net32.SetParameters(single)
	data32 := Data[float32]{N: data.N}
	for _, v := range data.X {
		data32.X = append(data32.X, float32(v))
	}
	for _, v := range data.Y {
		data32.Y = append(data32.Y, float32(v))
	}
	k32, err := net32.Gram(data32, MSE, nil, 1<<30)
	if err != nil {
		t.Fatal(err)
	}
	for i, w := range want {
		if !(math.Abs(k[i]-w) <= 1e-12*(1+math.Abs(w))) || !(math.Abs(k32[i]-w) <= 1e-4*(1+math.Abs(w))) {
			t.Fatalf("K[%d] = %v and %v in float32, want %v", i, k[i], k32[i], w)
		}
	}
}

// S_m(j) against its definition, and S_1 against the moment of order 1.
func TestCoordinateSums(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		net, data := randomNetwork[float64](rapid.Uint64().Draw(t, "seed"))
		const orders = 4
		w, c := net.ParameterCount(), net.Outputs()
		got, err := net.CoordinateSums(data, MSE, orders, 1<<30)
		if err != nil {
			t.Fatal(err)
		}
		j, want, slack := jacobian(net, data), make([]float64, orders*w), make([]float64, orders*w)
		// A gradient that is next to nothing beside others is known to their rounding.
		rounding := 0.0
		for _, row := range j {
			for _, v := range row {
				rounding = math.Max(rounding, 1e-14*math.Abs(v))
			}
		}
		for i := range data.N {
			for p := range w {
				square := 0.0
				for _, row := range j[i*c : (i+1)*c] {
					square += row[p] * row[p]
				}
				for m := range orders {
					power := math.Pow(square, float64(m+1))
					want[m*w+p] += power
					slack[m*w+p] += math.Pow(math.Sqrt(square)+rounding, float64(2*m+2)) - power
				}
			}
		}
		for i, v := range want {
			if !(math.Abs(got[i]-v) <= 1e-11*v+slack[i]+1e-300) {
				t.Fatalf("S_%d(%d) = %v, want %v (%+v)", i/w+1, i%w, got[i], v, net.Architecture)
			}
		}
	})
}

func TestGramRefuses(t *testing.T) {
	net, data := smallResNet(t, 1)
	if _, err := net.CoordinateSums(data, MSE, 0, 1<<30); err == nil {
		t.Error("order 0: no error")
	}
	if _, err := net.CoordinateSums(data, MSE, 2, 1000); err == nil {
		t.Error("coordinate sums without memory: no error")
	}
	if _, err := net.GramBlocks(data, MSE, nil, 1000); err == nil {
		t.Error("blocks without memory: no error")
	}
	net.UseBatchStatistics(true)
	for _, f := range []func() error{
		func() error { _, err := net.Gram(data, MSE, nil, 1<<30); return err },
		func() error { _, err := net.GramBlocks(data, MSE, nil, 1<<30); return err },
		func() error { _, err := net.CoordinateSums(data, MSE, 2, 1<<30); return err },
	} {
		if err := f(); !errors.Is(err, ErrBatchStatistics) {
			t.Errorf("batch statistics: %v", err)
		}
	}
}
