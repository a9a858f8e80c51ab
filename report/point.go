package report

import (
	"bytes"
	"fmt"
	"html/template"
	"os"
	"strings"

	"github.com/goccy/go-yaml"

	"sobolev/rundir"
)

// pointContent is what the page of a point shows.
type pointContent struct {
	document
	Name, Heading, Standing string
	Open                    bool // not only when the address names it
	Facts                   []fact
	Minis                   []mini
	Moments                 []momentCells
	Layers                  []layerCells
	Orders                  []orderCells
	Bounds                  []boundCells
	Around                  *aroundTable
	Robust                  []fact
	Examples                []attackImages
	Warnings                []string
	Files                   []string
	Configuration           string
}

// momentCells are the moments of one order.
type momentCells struct{ K, GW, GX, GW1, GDelta string }

// orderCells is the verdict on one order of stability.
type orderCells struct {
	K          string
	Thresholds string
	Verdict    verdict
	Margin     string
}

// PointHTML is the page of one point: of a server, or complete in itself if the
// links are empty. A history that cannot be read leaves out the curves of training.
func PointHTML(dir *rundir.Dir, record rundir.Record, l Links) ([]byte, error) {
	s := &solution{Record: record, leftOut: reason(record, dir.InUse())}
	l.Data = "" // the page of one point shows nothing of the table
	c, err := contentOf(dir, s, l, true)
	if err != nil {
		return nil, err
	}
	c.Open = true
	if c.document, err = l.document(c.Heading+" – "+dir.Config.Name, nil); err != nil {
		return nil, err
	}
	var b bytes.Buffer
	if err := pages.ExecuteTemplate(&b, "point-page", c); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// section is the page of a point inside that of the run.
func (r *Report) section(s *solution, l Links) (template.HTML, error) {
	c, err := contentOf(r.dir, s, l, false)
	if err != nil {
		return "", err
	}
	c.Links = l
	var b bytes.Buffer
	err = pages.ExecuteTemplate(&b, "point", c)
	return template.HTML(b.String()), err
}

// contentOf reads what a page shows beyond the record; dir may be nil. The curves of a
// whole page have all their values.
func contentOf(dir *rundir.Dir, s *solution, l Links, whole bool) (pointContent, error) {
	c := pointContent{Name: s.Name, Heading: placeOf(s), Standing: s.standing(), Facts: s.facts()}
	configuration, err := yaml.Marshal(s.Point)
	if err != nil {
		return c, fmt.Errorf("%s: %w", s.Name, err)
	}
	c.Configuration = string(configuration)
	var history []rundir.HistoryRow
	if dir != nil {
		p := dir.Point(s.Point)
		history, _ = p.ReadHistory()
		c.Files = filesOf(p, s.Name)
	}
	c.Minis = s.minis(history, whole)
	if s.Result == nil {
		return c, nil
	}
	c.Warnings = s.Result.Warnings
	for _, m := range s.Result.Moments {
		c.Moments = append(c.Moments, momentCells{fmt.Sprint(m.K), measured(float64(m.GW)), measured(float64(m.GX)), measured(float64(m.GW1)), measured(float64(m.GDelta))})
	}
	c.Layers = layersOf(s.Result)
	c.Orders = s.orderCells()
	for i, bounds := 0, s.bounds(); i < len(bounds); i++ {
		row := boundCellsOf(&bounds[i])
		if i > 0 && bounds[i].Statement == bounds[i-1].Statement {
			row.What = ""
		}
		c.Bounds = append(c.Bounds, row)
	}
	if s.finished() {
		c.Around = aroundTableOf(s)
	}
	c.Robust, c.Examples = robustFacts(s.Result), imagesOf(s.Result)
	return c, nil
}

// filesOf are the paths of a point's files in the run directory.
func filesOf(p rundir.PointDir, name string) []string {
	entries, err := os.ReadDir(p.Path)
	if err != nil {
		return nil
	}
	var files []string
	for _, e := range entries {
		if e.Type().IsRegular() && !strings.HasPrefix(e.Name(), ".") {
			files = append(files, "points/"+name+"/"+e.Name())
		}
	}
	return files
}

// placeOf names a point by its place in the grid.
func placeOf(s *solution) string {
	text := fmt.Sprintf("η = %s, B = %s, repetition %d", shortest(s.Point.LearningRate), batchName(s.Point.BatchSize), s.Point.Repetition)
	if s.Point.Method != "sgd" {
		text = s.Point.Method + ", " + text
	}
	return text
}

// standing says how the training ended and whether the solution counts.
func (s *solution) standing() string {
	if s.counts() {
		return "Trained; in the correlations of the run."
	}
	return "Left out of the correlations: " + s.leftOut + "."
}

// facts are the fit and how it came about.
func (s *solution) facts() []fact {
	var facts []fact
	add := func(name, value string) { facts = append(facts, fact{name, value}) }
	if s.Status.Error != "" {
		add("Error", s.Status.Error)
	}
	res := s.Result
	if res == nil {
		add("State", string(s.Status.State))
		return facts
	}
	if t := res.Training; t != nil {
		add("Training", fmt.Sprintf("%s after %s", t.Status, plural(t.Steps, "step", "steps")))
		if loss := known(measured, "%s in training", t.TrainLoss, "%s on the test set", t.TestLoss); loss != "" {
			add("Loss", loss+" ("+lossWords(s.Point.Loss)+")")
		}
		if accuracy := known(percent, "%s in training", t.TrainAccuracy, "%s on the test set", t.TestAccuracy); accuracy != "" {
			add("Accuracy", accuracy)
		}
	}
	fit := "interpolates"
	if !res.Fit.Interpolates {
		fit = "does not interpolate"
	}
	if numbers := known(measured, "Σ‖f−y‖²/Σ‖y‖² = %s", res.Fit.RelativeLoss, "largest residual %s", res.Fit.MaxResidual); numbers != "" {
		fit += ": " + numbers
	}
	add("Fit", fit)
	add("Effective η", fmt.Sprintf("%s, with batches of %d", measured(float64(res.Convention.EffectiveLearningRate)), res.Convention.BatchSize))
	if c := res.Curvature; c != nil {
		add("Curvature", curvatureWords(c))
	}
	if st := s.stability(); st != nil {
		add("Stability", s.stabilityWords(st))
	}
	if m := res.Model; m.Parameters > 0 {
		add("Network", sizeWords(m))
	}
	if res.Data.Samples > 0 {
		add("Data", fmt.Sprintf("%s, n = %d; %s", s.Point.Dataset.Name, res.Data.Samples, res.Convention.Preprocessing))
	}
	return facts
}

// known says two numbers as far as they are finite: a training that diverged has none.
func known(format func(float64) string, first string, a rundir.Number, second string, b rundir.Number) string {
	var parts []string
	if finite(float64(a)) {
		parts = append(parts, fmt.Sprintf(first, format(float64(a))))
	}
	if finite(float64(b)) {
		parts = append(parts, fmt.Sprintf(second, format(float64(b))))
	}
	return strings.Join(parts, ", ")
}

func curvatureWords(c *rundir.Curvature) string {
	text := "trace of H " + measured(float64(c.Trace))
	if c.LambdaMax != nil {
		text += ", λ_max " + measured(float64(*c.LambdaMax))
	}
	if c.NonUniformity != nil {
		text += ", non-uniformity " + measured(float64(*c.NonUniformity))
	}
	if c.Rank != nil {
		text += fmt.Sprintf(", rank %d", *c.Rank)
	}
	if c.ResidualShare != nil {
		text += ", residual share " + measured(float64(*c.ResidualShare))
	}
	return text + " (Gauss–Newton matrix of the configured loss)"
}

func (s *solution) stabilityWords(st *rundir.Stability) string {
	cell := thresholdCell(s.etaVar())
	text := fmt.Sprintf("η*_var = %s", cell.Median)
	if cell.Range != "" {
		text += " in " + cell.Range
	}
	text += fmt.Sprintf(", %s η; η_mean = %s; mean-square stable: %s", measured(margin().of(s)), measured(float64(st.EtaMean)), s.stableOfOrder(2))
	if l := lyapunovCell(s); l.Median != "–" {
		text += fmt.Sprintf("; Lyapunov exponent %s %s per step", l.Median, l.Range)
	}
	return text
}

func (s *solution) orderCells() []orderCells {
	st := s.stability()
	if st == nil {
		return nil
	}
	var rows []orderCells
	for _, o := range st.Orders {
		row := orderCells{K: fmt.Sprint(o.K), Verdict: s.stableOfOrder(o.K), Margin: "–", Thresholds: bracketCell(o.EtaLower, o.EtaUpper, o.Exact)}
		if o.Margin != nil {
			row.Margin = measured(float64(*o.Margin))
		}
		rows = append(rows, row)
	}
	ends := st.EtaAllOrders
	return append(rows, orderCells{K: "all", Verdict: s.stableOfAllOrders(), Margin: "–", Thresholds: bracketCell(ends.Lower, ends.Upper, ends.Exact)})
}

// bracketCell shows the ends of a bracket: one where it is exact, or no digit differs.
func bracketCell(lower, upper rundir.Number, exact bool) string {
	low, high := measured(float64(lower)), measured(float64(upper))
	if exact || low == high {
		return low
	}
	return low + " – " + high
}
