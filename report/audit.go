package report

import (
	"bytes"
	"fmt"
	"html/template"
	"math"

	"sobolev/rundir"
)

// Audit is the page of a single result: of a model that was trained elsewhere.
type Audit struct {
	Title string
	// Verdict is what the result says in one sentence, and Facts say what was
	// audited, on what and how.
	Verdict string
	Facts   []Fact
	Result  *rundir.Result
}

// Fact is a name and what belongs to it.
type Fact struct{ Name, Value string }

// HTML returns the page, which needs no other file.
func (a Audit) HTML() ([]byte, error) {
	var b bytes.Buffer
	err := auditPage.Execute(&b, a)
	return b.Bytes(), err
}

// Applying are the bounds that apply, and Others those that do not.
func (a Audit) Applying() []rundir.Bound { return a.bounds(true) }

func (a Audit) Others() []rundir.Bound { return a.bounds(false) }

func (a Audit) bounds(applying bool) []rundir.Bound {
	var list []rundir.Bound
	for _, b := range a.Result.Bounds {
		if b.Applies == applying {
			list = append(list, b)
		}
	}
	return list
}

// auditNumber is v to four digits; v is a rundir.Number or a pointer to one.
func auditNumber(v any) string {
	x := math.NaN()
	switch v := v.(type) {
	case rundir.Number:
		x = float64(v)
	case *rundir.Number:
		if v != nil {
			x = float64(*v)
		}
	}
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return "–"
	}
	return fmt.Sprintf("%.4g", x)
}

func auditVerdict(stable *bool) string {
	switch {
	case stable == nil:
		return "not decided"
	case *stable:
		return "stable"
	}
	return "unstable"
}

var auditPage = template.Must(template.New("audit").Funcs(template.FuncMap{
	"number": auditNumber, "verdict": auditVerdict,
	"ratio": func(a, b rundir.Number) string { return auditNumber(a / b) },
}).Parse(`<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8"/>
<meta name="viewport" content="width=device-width, initial-scale=1"/>
<title>{{.Title}} – audit</title>
<style>
body { margin: 0 auto; max-width: 62rem; padding: 1.5rem 1rem 4rem; color: #1b1b1b; background: #fff; font: 16px/1.55 system-ui, sans-serif; }
h1 { font-size: 1.7rem; margin: 0 0 .3rem; overflow-wrap: anywhere; }
h2 { font-size: 1.2rem; margin: 2.2rem 0 .6rem; border-bottom: 1px solid #d9d9d9; }
p, li { max-width: 46rem; }
.verdict { border-left: 4px solid #31688e; background: #f6f6f4; padding: .8rem 1rem; }
.scroll { overflow: auto; }
table { border-collapse: collapse; font-size: .88rem; font-variant-numeric: tabular-nums; }
th, td { padding: .3rem .6rem; text-align: right; border-bottom: 1px solid #d9d9d9; white-space: nowrap; }
.text { text-align: left; white-space: normal; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .2rem 1.2rem; }
dt { color: #5a5a5a; } dd { margin: 0; overflow-wrap: anywhere; }
</style>
</head>
<body>
<h1>{{.Title}}</h1>
<p class="verdict">{{.Verdict}}</p>
<dl>
{{range .Facts}}<dt>{{.Name}}</dt><dd>{{.Value}}</dd>
{{end}}</dl>
{{with .Result}}
<h2 id="moments">Gradient moments</h2>
<div class="scroll" tabindex="0"><table>
<thead><tr><th scope="col"><i>k</i></th><th scope="col">g_W</th><th scope="col">g_x</th><th scope="col">g_W1</th><th scope="col">g_delta</th></tr></thead>
<tbody>
{{range .Moments}}<tr><td>{{.K}}</td><td>{{number .GW}}</td><td>{{number .GX}}</td><td>{{number .GW1}}</td><td>{{number .GDelta}}</td></tr>
{{end}}</tbody></table></div>
{{with .Stability}}
<h2 id="stability">Stability</h2>
<div class="scroll" tabindex="0"><table>
<thead><tr><th scope="col">order</th><th scope="col">stable up to η ≥</th><th scope="col">and at most</th><th class="text" scope="col">at the trained η</th><th scope="col">margin</th></tr></thead>
<tbody>
{{range .Orders}}<tr><td>{{.K}}</td><td>{{number .EtaLower}}</td><td>{{number .EtaUpper}}</td><td class="text">{{verdict .Stable}}</td><td>{{number .Margin}}</td></tr>
{{end}}</tbody></table></div>
{{if .Frontier}}<p>The mean-square threshold of other batch sizes:</p>
<div class="scroll" tabindex="0"><table>
<thead><tr><th scope="col"><i>B</i></th><th scope="col">η</th></tr></thead>
<tbody>
{{range .Frontier}}<tr><td>{{.BatchSize}}</td><td>{{number .Value}}</td></tr>
{{end}}</tbody></table></div>
{{end}}{{if .Lyapunov}}<p>The Lyapunov exponent of linearised SGD, negative where its typical path returns:</p>
<div class="scroll" tabindex="0"><table>
<thead><tr><th scope="col">η</th><th scope="col">exponent</th><th scope="col">95% interval</th></tr></thead>
<tbody>
{{range .Lyapunov}}<tr><td>{{number .LearningRate}}</td><td>{{number .Value}}</td><td>{{number (index .CI95 0)}} … {{number (index .CI95 1)}}</td></tr>
{{end}}</tbody></table></div>
{{end}}{{end}}{{with .Curvature}}
<h2 id="curvature">Curvature</h2>
<dl>
<dt>trace</dt><dd>{{number .Trace}}</dd>
<dt>largest eigenvalue</dt><dd>{{number .LambdaMax}}</dd>
<dt>non-uniformity</dt><dd>{{number .NonUniformity}}</dd>
<dt>residual share</dt><dd>{{number .ResidualShare}}</dd>
{{with .Rank}}<dt>rank</dt><dd>{{.}}</dd>
{{end}}</dl>
{{end}}{{end}}
<h2 id="bounds">Bounds</h2>
{{if .Applying}}<div class="scroll" tabindex="0"><table>
<thead><tr><th class="text" scope="col">statement</th><th scope="col"><i>k</i></th><th scope="col">measured</th><th scope="col">sharp</th><th scope="col">ratio</th><th scope="col">printed</th><th scope="col">ratio</th><th class="text" scope="col">status</th></tr></thead>
<tbody>
{{range .Applying}}<tr><td class="text">{{.Statement}}{{if .LogFactor}} (times e^{{.LogFactor}}){{end}}</td><td>{{.K}}</td><td>{{number .Measured}}</td><td>{{number .Sharp}}</td><td>{{ratio .Sharp .Measured}}</td><td>{{number .Printed}}</td><td>{{ratio .Printed .Measured}}</td><td class="text">{{if eq .Status "assumed"}}if what was assumed is right{{else}}{{.Status}}{{end}}</td></tr>
{{end}}</tbody></table></div>
{{end}}{{if .Others}}<details><summary>{{len .Others}} that do not apply, or are not known</summary><ul>
{{range .Others}}<li>{{.Statement}}, <i>k</i> = {{.K}}: {{.WhyNot}}</li>
{{end}}</ul></details>
{{end}}{{if .Result.Warnings}}
<h2 id="warnings">Warnings</h2>
<ul>
{{range .Result.Warnings}}<li>{{.}}</li>
{{end}}</ul>
{{end}}</body>
</html>
`))
