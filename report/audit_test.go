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
		Moments:   []rundir.Moment{{K: 1, GW: 1.25, GX: rundir.Number(math.NaN())}},
		Curvature: &rundir.Curvature{Trace: 3.5, LambdaMax: &lambda, Rank: &rank},
		Stability: &rundir.Stability{
			Orders:   []rundir.Order{{K: 1, EtaLower: 0.5, EtaUpper: 0.5, Stable: &yes}, {K: 2, Stable: &no}, {K: 3}},
			Frontier: []rundir.FrontierPoint{{BatchSize: 11, Threshold: rundir.Threshold{Value: 0.375}}},
			Lyapunov: []rundir.LyapunovExponent{{LearningRate: 0.1, Estimate: rundir.Estimate{Value: -0.875}}},
		},
		Bounds: []rundir.Bound{
			{Statement: "theorem 2", K: 1, Measured: 2, Sharp: 6, Printed: 18, Status: "applies", Applies: true},
			{Statement: "theorem 4", K: 1, Measured: 1, Sharp: 1, Printed: 1, Status: "assumed", Applies: true},
			{Statement: "theorem 3", K: 2, Status: "does-not-apply", WhyNot: "not stable of order 2 <here>"},
		},
		Warnings: []string{"a warning"},
	}
	for _, c := range []struct {
		result *rundir.Result
		want   []string
	}{
		{r, []string{"<td>1.25</td><td>–</td>", ">stable<", ">unstable<", ">not decided<", "<td>11</td><td>0.375</td>", "-0.875", "0.0625", "<dd>7</dd>",
			"<td>2</td><td>6</td><td>3</td><td>18</td><td>9</td>", "if what was assumed is right", "1 that do not apply", "order 2 &lt;here&gt;", "a warning"}},
		{&rundir.Result{}, []string{"it &lt;holds&gt;"}}, // nothing was measured
	} {
		data, err := Audit{Title: "model.onnx", Verdict: "it <holds>", Facts: []Fact{{"data", "d.npz & more"}}, Result: c.result}.HTML()
		if err != nil {
			t.Fatal(err)
		}
		text := string(data)
		for _, w := range append(c.want, "<h1>model.onnx</h1>", "d.npz &amp; more") {
			if !strings.Contains(text, w) {
				t.Errorf("%q is not in\n%s", w, text)
			}
		}
		if strings.Contains(text, "http://") || strings.Contains(text, "https://") || strings.Contains(text, "<script") {
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
