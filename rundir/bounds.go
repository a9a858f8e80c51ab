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

// Seminorm holds |f|_{1,2k} on the samples, in the convention of g_x (Points) and
// as the paper's sum over outputs (PointsSum), and on the balls around them, divided
// by their volume's root, by Monte Carlo.
type Seminorm struct {
	K         int      `json:"k"`
	Points    Number   `json:"points"`
	PointsSum Number   `json:"points_sum"`
	Balls     Estimate `json:"balls"`
	// Second is |f|_{2,2k}; absent in results of earlier versions.
	Second *SecondSeminorm `json:"second,omitempty"`
}

// SecondSeminorm holds |f|_{2,2k} on Samples samples, all of them or so many spread
// evenly over the data: with a mixed derivative as one multi-index, as the definition
// has it, in the convention of g_x and as the sum over outputs; and with it counted
// twice, as the full matrix has it. They are exact, and null with a reason where the
// network is not smooth.
type SecondSeminorm struct {
	Points        Number `json:"points"`
	PointsSum     Number `json:"points_sum"`
	FullMatrix    Number `json:"full_matrix"`
	FullMatrixSum Number `json:"full_matrix_sum"`
	Samples       int    `json:"samples"`
	WhyNot        string `json:"why_not"`
}

// Geometry describes the balls of one radius around the samples: the share of test
// samples outside of all of them with its Clopper–Pearson interval, the logarithm
// of their volume, and a bracket of the largest number of balls that share a point.
//
// Space is "features" where frozen layers make the x of the theory, and empty where
// the balls are those of the inputs.
type Geometry struct {
	Space         string    `json:"space,omitempty"`
	Radius        Number    `json:"radius"`
	Uncovered     Number    `json:"uncovered"`
	UncoveredCI95 [2]Number `json:"uncovered_ci95"`
	LogVolume     Estimate  `json:"log_volume"`
	OverlapLower  int       `json:"overlap_lower"`
	OverlapUpper  int       `json:"overlap_upper"`
	// Dimension is the intrinsic dimension of the samples by TwoNN (Facco et al.,
	// 2017), with its 95% interval; null where there are too few.
	Dimension     Number    `json:"dimension"`
	DimensionCI95 [2]Number `json:"dimension_ci95"`
	// Rate is absent without a test set, or with too few samples.
	Rate *CoverRate `json:"rate,omitempty"`
}

// CoverRate says how fast the radius δ_ε that covers all but a share ε of the test
// samples shrinks with the number of training samples, δ_ε(n) ~ n^Exponent. The
// bound of Theorem 6 falls with n only if n^{1/k} δ_ε(n)² does: Exponent < −1/(2k).
type CoverRate struct {
	Epsilon  Number      `json:"epsilon"`
	Exponent Estimate    `json:"exponent"`
	Levels   []RateLevel `json:"levels"`
}

// RateLevel is δ_ε for N of the training samples, with its 95% interval.
type RateLevel struct {
	N      int       `json:"n"`
	Radius Number    `json:"radius"`
	CI95   [2]Number `json:"ci95"`
}

// Smoothness is Definition 1's constant C_s for ‖V‖_F ≤ Radius: the largest that a
// search found around some samples, and an upper value for these samples that is
// proved; null where there is no proof. Lipschitz is the largest
// ‖∇f(W′) − ∇f(W)‖/‖W′ − W‖ of the search (Remark 1).
type Smoothness struct {
	K         int    `json:"k"`
	Radius    Number `json:"radius"`
	Found     Number `json:"found"`
	Certified Number `json:"certified"`
	Lipschitz Number `json:"lipschitz"`
	Samples   int    `json:"samples"`
}

// Robustness is what attacks found within Radius (ℓ₂) of some samples: the largest
// change of an output, and the largest input gradients. Space is that of Geometry.
type Robustness struct {
	Space        string           `json:"space,omitempty"`
	Radius       Number           `json:"radius"`
	Samples      int              `json:"samples"`
	OutputChange Number           `json:"output_change"`
	Gradients    []GradientInBall `json:"gradients"`
	// Accuracy and CLEVER are those of classifications.
	Accuracy []RobustAccuracy `json:"accuracy,omitempty"`
	CLEVER   []CLEVER         `json:"clever,omitempty"`
	// Examples are a few attacked images; absent where the inputs are none.
	Examples []AttackExample `json:"examples,omitempty"`
}

// AttackExample is an image and what an attack made of it within Radius of Norm:
// those come first whose class changed within the smallest radius, then those whose
// outputs changed most. Label, Before and After are the right class and those that
// are predicted of the image and of the attacked one, null in regressions; Change is
// the largest |f_c(x) − f_c(x_i)| of the two.
//
// Shape is [channels, height, width] with 1 or 3 channels, the order of the bytes
// that Original and Difference have, in base64. Original are the pixels, 0 … 255
// from the least displayed value to the largest: those of the bytes that the data
// were scaled from, or the range of the training data. A byte b of Difference says
// that the attack adds (b − 128)·DifferenceScale, where 1 is the displayed range.
type AttackExample struct {
	Set             string `json:"set"`    // "training" or "test"
	Sample          int    `json:"sample"` // its number in that set, from 0
	Label           *int   `json:"label"`
	Before          *int   `json:"before"`
	After           *int   `json:"after"`
	Change          Number `json:"change"`
	Radius          Number `json:"radius"`
	Norm            string `json:"norm"`
	Shape           []int  `json:"shape"`
	Original        []byte `json:"original"`
	Difference      []byte `json:"difference"`
	DifferenceScale Number `json:"difference_scale"`
}

// RobustAccuracy is the share of samples whose class no attack (PGD) within Radius
// (ℓ₂) changed: an upper bound of the robust accuracy.
type RobustAccuracy struct {
	Radius   Number `json:"radius"`
	Accuracy Number `json:"accuracy"`
	Samples  int    `json:"samples"`
}

// CLEVER is the extreme-value estimate of the distance to where the runner-up class
// takes over (Weng et al., 2018), neither a lower nor an upper bound, with the
// largest gradient norm of the sample beside the fitted one.
type CLEVER struct {
	Sample     int    `json:"sample"`
	Score      Number `json:"score"`
	Lipschitz  Number `json:"lipschitz"`
	SampleMax  Number `json:"sample_max"`
	Shape      Number `json:"shape"`
	PValue     Number `json:"p_value"`
	Degenerate bool   `json:"degenerate"`
	Draws      int    `json:"draws"`
	Seed       uint64 `json:"seed"`
}

// GradientInBall is the largest ‖∇_x f_c‖_{2k} found in the balls around Samples
// samples, those with the largest gradients; without a number in earlier results,
// which searched around Robustness.Samples.
type GradientInBall struct {
	K       int    `json:"k"`
	Found   Number `json:"found"`
	Samples int    `json:"samples,omitzero"`
}
