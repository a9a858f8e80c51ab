package report

import (
	"fmt"
	"math"

	"sobolev/rundir"
)

// layerCells is a layer's share of the moments and the largest eigenvalue of its
// block.
type layerCells struct {
	Name      string
	Shares    []shareCell // one an order
	LambdaMax string
}

// shareCell is a part of a whole, with the length of its bar out of 60.
type shareCell struct {
	Text string
	Bar  string
}

// layersOf splits sum_W of every order over the layers.
func layersOf(res *rundir.Result) []layerCells {
	var layers []layerCells
	at := map[string]int{}
	for k, m := range res.Moments {
		for _, l := range m.Layers {
			i, ok := at[l.Name]
			if !ok {
				i = len(layers)
				at[l.Name] = i
				layers = append(layers, layerCells{Name: l.Name, Shares: make([]shareCell, len(res.Moments)), LambdaMax: "–"})
			}
			part := float64(l.SumWeight+l.SumBias) / float64(m.SumW)
			layers[i].Shares[k] = shareCell{percent(part), "0"}
			if finite(part) {
				layers[i].Shares[k].Bar = fmt.Sprintf("%.1f", 60*math.Min(math.Max(part, 0), 1))
			}
		}
	}
	if res.Curvature == nil {
		return layers
	}
	for _, l := range res.Curvature.Layers {
		if i, ok := at[l.Name]; ok {
			layers[i].LambdaMax = measured(float64(l.LambdaMax))
		}
	}
	return layers
}

// robustFacts are what attacks found.
func robustFacts(res *rundir.Result) []fact {
	a := res.Robustness
	if a == nil {
		return nil
	}
	facts := []fact{{"Largest change of an output", fmt.Sprintf("%s within %s of %s", measured(float64(a.OutputChange)), measured(float64(a.Radius)), plural(a.Samples, "sample", "samples"))}}
	for _, r := range a.Accuracy {
		facts = append(facts, fact{fmt.Sprintf("Robust accuracy at radius %s", measured(float64(r.Radius))), fmt.Sprintf("at most %s of %s", percent(float64(r.Accuracy)), plural(r.Samples, "sample", "samples"))})
	}
	for _, c := range a.CLEVER {
		text := measured(float64(c.Score))
		if c.Degenerate {
			text += ", of a degenerate fit"
		}
		facts = append(facts, fact{fmt.Sprintf("CLEVER score of sample %d", c.Sample), text})
	}
	return facts
}
