package report

import (
	"encoding/xml"
	"io"
	"math"
	"strings"
	"testing"

	"sobolev/rundir"
)

func TestAuditPage(t *testing.T) {
	yes, no, rank, lambda := true, false, 7, rundir.Number(0.0625)
	r := &rundir.Result{
		Convention: rundir.Convention{Loss: "cross-entropy", LearningRate: 0.25, BatchSize: 11, Sampling: "epochs", Preprocessing: "x/255", Precision: "float64"},
		Moments: []rundir.Moment{{K: 1, GW: 1.25, GX: rundir.Number(math.NaN()), SumW: 4, Layers: []rundir.LayerMoment{
			{Name: "net.0", SumWeight: 2, SumBias: 1}, {Name: "net.2", SumWeight: 1}}}},
		Spectrum:  &rundir.Spectrum{Eigenvalues: []rundir.Number{3, 2, 1}},
		Curvature: &rundir.Curvature{Trace: 3.5, LambdaMax: &lambda, Rank: &rank},
		Stability: &rundir.Stability{
			EtaVar:   rundir.Threshold{Value: 0.375, Lower: 0.3125, Upper: 0.4375},
			Frontier: []rundir.FrontierPoint{{BatchSize: 1, Threshold: rundir.Threshold{Value: 0.25}}, {BatchSize: 11, Threshold: rundir.Threshold{Value: 0.375}}},
			Orders:   []rundir.Order{{K: 1, EtaLower: 0.5, EtaUpper: 0.5, Stable: &yes}, {K: 2, Stable: &no}, {K: 3}},
			Lyapunov: []rundir.LyapunovExponent{{LearningRate: 0.25, Estimate: rundir.Estimate{Value: -0.875, CI95: [2]rundir.Number{-0.9375, -0.8125}}}},
		},
		Bounds: []rundir.Bound{
			{Statement: "theorem 2", K: 1, Measured: 2, Sharp: 6, Printed: 18, Free: 6, Status: "applies", Applies: true},
			{Statement: "theorem 4", K: 1, Measured: 1, Sharp: 1, Printed: 1, Status: "assumed", Applies: true},
			{Statement: "theorem 3", K: 2, Status: "does-not-apply", WhyNot: "not stable of order 2 <here>"},
		},
		Warnings: []string{"a warning"},
	}
	for _, c := range []struct {
		result *rundir.Result
		want   []string
	}{
		{r, []string{"<td>1.25</td><td>–</td>", "75.00%", ">Spectrum</h3>", ">Frontier of stability</h3>", `class="mark"`, "<td>1</td><td>0.500</td>", ">Stability of every order</h3>", ">Lyapunov exponent</h3>",
			"How loose the bounds are", "Theorem 2", "order 2 &lt;here&gt;", "a warning", "0.375 in [0.312, 0.438]", "−0.875 [−0.938, −0.812]", "0.0625", "rank 7",
			"CrossEntropyLoss", "drawn without replacement, as if independently", "x/255"}},
		{&rundir.Result{}, []string{"it &lt;holds&gt;"}}, // nothing was measured
	} {
		data, err := Audit{Title: "model.onnx", Verdict: "it <holds>", Facts: []Fact{{"data", "d.npz & more"}}, Result: c.result}.HTML()
		if err != nil {
			t.Fatal(err)
		}
		text := strings.Replace(string(data), script, "", 1) // its own script, whole
		for _, w := range append(c.want, "<h1>model.onnx</h1>", "d.npz &amp; more") {
			if !strings.Contains(text, w) {
				t.Errorf("%q is not in\n%s", w, text)
			}
		}
		if strings.Contains(text, "src=") || strings.Contains(text, "href=") || strings.Count(text, "<script") != 1 {
			t.Error("the page needs something else")
		}
		decoder := xml.NewDecoder(strings.NewReader(strings.TrimPrefix(text, "<!DOCTYPE html>\n")))
		for err == nil {
			_, err = decoder.Token()
		}
		if err != io.EOF {
			t.Errorf("not well-formed: %v", err)
		}
	}
}
