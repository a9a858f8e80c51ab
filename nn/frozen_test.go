package nn

import (
	"math"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"sobolev/encoding/safetensors"
	"sobolev/internal/kernel"
)

// With frozen layers everything that is measured and every step is that of the
// network above them on its features, and the frozen parameters stay.
func TestFrozenLayersMakeFeatures(t *testing.T) {
	compared := 0
	rapid.Check(t, func(t *rapid.T) {
		net, data := randomNetwork[float64](rapid.Uint64().Draw(t, "seed"))
		if net.frozen == 0 {
			return
		}
		head, features, err := net.Head(data)
		if err != nil {
			return // the layout of kernel.ConvPool
		}
		compared++
		w := head.ParameterCount()
		if net.TrainableCount() != w || net.ParameterCount() <= w {
			t.Fatalf("%d parameters, %d train; the head has %d", net.ParameterCount(), net.TrainableCount(), w)
		}
		below := net.ParameterCount() - w

		if net.Features() != head.Inputs() || net.FirstWeight().Size() != head.FirstWeight().Size() || head.FirstWeight().Offset != 0 {
			t.Fatalf("%d features, first weight %+v; the head has %d and %+v", net.Features(), net.FirstWeight(), head.Inputs(), head.FirstWeight())
		}
		net.EachFeatures(data, func(i int, x []float64) {
			got, want := make([]float64, 3), make([]float64, 3)
			kernel.EvenPowerSums(got, x)
			kernel.EvenPowerSums(want, features.X[i*head.Inputs():(i+1)*head.Inputs()])
			for k := range got {
				if !(math.Abs(got[k]-want[k]) <= 1e-12*want[k]) {
					t.Fatalf("sample %d: sums of powers %v, those of the head's inputs %v", i, got, want)
				}
			}
		})
		orders := []int{1, 2}
		got, err := net.GradientMoments(data, orders, 1<<30)
		if err != nil {
			t.Fatal(err)
		}
		want, err := head.GradientMoments(features, orders, 1<<30)
		if err != nil {
			t.Fatal(err)
		}
		for k := range orders {
			g, h := got[k], want[k]
			if len(g.Layers) != len(h.Layers) || h.SumImage != 0 {
				t.Fatalf("moments of %d layers, of the head %d; head's image %v", len(g.Layers), len(h.Layers), h.SumImage)
			}
			for _, v := range [][2]float64{{g.SumW, h.SumW}, {g.SumX, h.SumX}, {g.SumW1, h.SumW1}, {g.SumDelta, h.SumDelta}} {
				if !(math.Abs(v[0]-v[1]) <= 1e-10*v[1]) {
					t.Fatalf("moments %+v, of the head %+v", g, h)
				}
			}
		}

		flat := func(n *Network[float64]) []float64 {
			v := make([]float64, n.ParameterCount())
			n.CopyParameters(v)
			return v
		}
		before := flat(net)
		ws, y := setBatch(net, data)
		headWS, _ := setBatch(head, features)
		step := func(n *Network[float64], ws *Workspace[float64]) {
			g := n.NewGradient()
			n.AddInputPenalty(g, ws, 0.1, data.N)
			n.AddGradient(g, ws, MSE, y, data.N)
			g.Scale(0.5)
			n.Add(-0.1, g)
			n.Descend(ws, MSE, 0.1, y, data.N)
		}
		step(net, ws)
		step(head, headWS)
		after, headAfter := flat(net), flat(head)
		if !slices.Equal(before[:below], after[:below]) {
			t.Fatal("a step moved frozen parameters")
		}
		for j, v := range headAfter {
			if !(math.Abs(after[below+j]-v) <= 1e-10*(1+math.Abs(v))) {
				t.Fatalf("W[%d] = %v after the steps, of the head %v (%+v)", below+j, after[below+j], v, net.Architecture)
			}
		}
	})
	if compared == 0 {
		t.Error("no network had frozen layers")
	}
}

// Frozen parameters are in checkpoints; a gradient has zeros for them, whatever
// it is set from.
func TestFrozenParametersInFiles(t *testing.T) {
	arch := FNN(3, []int{4}, 2, ReLU)
	arch.Frozen = 2
	net, err := New[float64](arch)
	if err != nil {
		t.Fatal(err)
	}
	flat := make([]float64, net.ParameterCount())
	for i := range flat {
		flat[i] = float64(i + 1)
	}
	net.SetParameters(flat)
	other, _ := New[float64](arch)
	if err := other.Load(&safetensors.File{Tensors: net.Tensors()}); err != nil {
		t.Fatal(err)
	}
	loaded := make([]float64, len(flat))
	other.CopyParameters(loaded)
	if !slices.Equal(loaded, flat) {
		t.Errorf("parameters %v came back as %v", flat, loaded)
	}
	g := net.NewGradient()
	g.Set(flat)
	got := make([]float64, len(flat))
	g.CopyTo(got)
	want := append(make([]float64, 16), flat[16:]...)
	if !slices.Equal(got, want) {
		t.Errorf("gradient %v, want %v", got, want)
	}
	for _, frozen := range []int{-1, 3} {
		arch.Frozen = frozen
		if _, err := New[float64](arch); err == nil || !strings.Contains(err.Error(), "frozen layers of 3") {
			t.Errorf("Frozen = %d: %v", frozen, err)
		}
	}
}
