package rundir

import "encoding/json"

// auditedResult and auditedStability have every key: null where result.json of a run
// leaves a section out that was not asked for.
type auditedResult struct {
	*Result
	Stability     *auditedStability `json:"stability"`
	Spectrum      *Spectrum         `json:"spectrum"`
	OperatorNorms []OperatorNorm    `json:"operator_norms"`
	Bounds        []Bound           `json:"bounds"`
	Seminorms     []Seminorm        `json:"seminorms"`
	Geometry      *Geometry         `json:"geometry"`
	Smoothness    []Smoothness      `json:"smoothness"`
	Robustness    *Robustness       `json:"robustness"`
}

type auditedStability struct {
	*Stability
	Frontier []FrontierPoint    `json:"frontier"`
	Lyapunov []LyapunovExponent `json:"lyapunov"`
}

// AuditJSON is the result of an audit, indented: every key is there, and is null
// where it does not apply.
func (r *Result) AuditJSON() ([]byte, error) {
	a := auditedResult{Result: r, Spectrum: r.Spectrum, OperatorNorms: r.OperatorNorms, Bounds: r.Bounds,
		Seminorms: r.Seminorms, Geometry: r.Geometry, Smoothness: r.Smoothness, Robustness: r.Robustness}
	if s := r.Stability; s != nil {
		a.Stability = &auditedStability{Stability: s, Frontier: s.Frontier, Lyapunov: s.Lyapunov}
	}
	text, err := json.MarshalIndent(a, "", "  ")
	return append(text, '\n'), err
}
