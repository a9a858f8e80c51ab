package report

import (
	"bytes"
	"fmt"

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

// auditContent is what the template shows: what the page of a point does of the same
// measurements, in the frame of an audit.
type auditContent struct {
	pointContent
	Verdict            string
	Facts, Conventions []Fact
	Figures            []drawnFigure
}

// HTML returns the page, which needs no other file.
func (a Audit) HTML() ([]byte, error) {
	s := a.solution()
	point, err := contentOf(nil, s, Links{}, true)
	if err != nil {
		return nil, err
	}
	point.Heading = a.Title
	if point.document, err = (Links{}).document(a.Title, nil); err != nil {
		return nil, err
	}
	c := auditContent{pointContent: point, Verdict: a.Verdict, Facts: a.Facts, Conventions: a.conventions()}
	if u := a.Result.Curvature; u != nil {
		c.Facts = append(c.Facts, Fact{"curvature", curvatureWords(u)})
	}
	if st := s.stability(); st != nil {
		c.Facts = append(c.Facts, Fact{"stability", s.stabilityWords(st)})
	}
	if c.Figures, err = drawnFigures(loosenessFigure(s.bounds(), "the audited model")); err != nil {
		return nil, err
	}
	var b bytes.Buffer
	err = pages.ExecuteTemplate(&b, "audit-page", c)
	return b.Bytes(), err
}

// solution is the model as the only point of a run.
func (a Audit) solution() *solution {
	r, c := *a.Result, a.Result.Convention
	r.Training = &rundir.Training{Status: "finished"}
	return &solution{Record: rundir.Record{Result: &r, Point: rundir.Point{Method: "sgd", LearningRate: float64(c.LearningRate), BatchSize: c.BatchSize}}}
}

// conventions say what a reader must know to compare the numbers.
func (a Audit) conventions() []Fact {
	c := a.Result.Convention
	loss := map[string]string{
		"mse":           "mse, the mean of (f − y)² over batch and outputs (torch's MSELoss)",
		"half-mse":      "half-mse, the mean over the batch of ½‖f − y‖² (Ma & Ying's)",
		"cross-entropy": "cross-entropy of softmax(f), the mean over the batch (torch's CrossEntropyLoss)",
	}[c.Loss]
	if loss == "" {
		return nil
	}
	return []Fact{
		{"loss", loss},
		{"learning rates", fmt.Sprintf("η and its thresholds are in units of this loss; the effective learning rate of the bounds is %s", measured(float64(c.EffectiveLearningRate)))},
		{"moments", "those of the outputs f, added up over outputs and parameters, averaged over samples; g_x is that of the inputs as the model gets them"},
		{"curvature", "that of the Gauss–Newton matrix of the loss; the residual share is how far the Hessian is from it"},
		{"batches", samplingWords(c.Sampling)}, {"inputs", c.Preprocessing}, {"precision", c.Precision},
	}
}
