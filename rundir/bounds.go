package rundir

// Bound is one statement of the theory at one order k: a number that was measured,
// and what bounds it, as printed in the paper, in the sharpest form whose
// hypotheses hold, and in the sharpest that is free of the number of parameters.
// Numbers are null where the status is "does-not-apply" or "unknown".
type Bound struct {
	Statement string `json:"statement"`
	K         int    `json:"k"`
	Measured  Number `json:"measured"`
	Printed   Number `json:"printed"`
	Sharp     Number `json:"sharp"`
	SharpForm string `json:"sharp_form"`
	Free      Number `json:"free"`
	// Status is "applies", "assumed" (if a constant that was given or found by a
	// search is right), "does-not-apply" or "unknown"; Applies is true for the
	// first two.
	Status     string       `json:"status"`
	Applies    bool         `json:"applies"`
	Hypotheses []Hypothesis `json:"hypotheses"`
	WhyNot     string       `json:"why_not"`
	// LogFactor says that all numbers stand for themselves times e^LogFactor, where
	// volumes are beyond float64.
	LogFactor float64 `json:"log_factor,omitzero"`
}

// Hypothesis is a condition of a statement: Holds is "yes", "no", "unknown" or
// "assumed".
type Hypothesis struct {
	Name     string `json:"name"`
	Holds    string `json:"holds"`
	Evidence string `json:"evidence"`
}

// OperatorNorm brackets ‖W₁ᵀ‖_p of the first layer; of the Toeplitz operator of a
// convolution.
type OperatorNorm struct {
	P     int    `json:"p"`
	Lower Number `json:"lower"`
	Upper Number `json:"upper"`
}

// Spectrum holds the largest eigenvalues of the Gauss–Newton matrix, descending.
type Spectrum struct {
	Eigenvalues []Number `json:"eigenvalues"`
}

// LayerCurvature is the largest eigenvalue of a layer's block of the Gauss–Newton
// matrix.
type LayerCurvature struct {
	Name      string `json:"name"`
	LambdaMax Number `json:"lambda_max"`
}
