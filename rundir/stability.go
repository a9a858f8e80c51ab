package rundir

// Stability says up to which learning rate SGD with the point's batch size and
// sampling stays near its solution, in units of the configured loss's learning
// rate (Ma & Ying, 2021, section 3). A threshold that is infinite, because all
// gradients are zero, is null.
type Stability struct {
	// EtaMean = 2/λ_max(H) is the threshold of the mean, of every batch size.
	EtaMean Number `json:"eta_mean"`
	// EtaVar is the mean-square threshold η*_2.
	EtaVar Threshold `json:"eta_var"`
	// EtaAllOrders is η*_∞ = 2/max_S λ_max(H_S), below which all orders are stable.
	EtaAllOrders Bracket `json:"eta_all_orders"`
	// SpectralRadius2 is ρ(T_2) on Sym² of the span at the point's η and B, and Full
	// that on the whole space, max(1, ρ) if w exceeds the rank; null where nc is too
	// large for them.
	SpectralRadius2     Number  `json:"spectral_radius_2"`
	SpectralRadius2Full Number  `json:"spectral_radius_2_full"`
	WuMaE               WuMaE   `json:"wu_ma_e"`
	Orders              []Order `json:"orders"`
	// Frontier is the mean-square threshold for other batch sizes.
	Frontier []FrontierPoint `json:"frontier,omitempty"`
	// Lyapunov holds the top Lyapunov exponents of linearised SGD.
	Lyapunov []LyapunovExponent `json:"lyapunov,omitempty"`
}

// Threshold is a number between two bounds. Exact says that they meet, to 1e-6
// for nc ≤ 2,000 and to 1e-3 above, and that all data were used.
type Threshold struct {
	Value Number `json:"value"`
	Lower Number `json:"lower"`
	Upper Number `json:"upper"`
	Exact bool   `json:"exact"`
}

// Bracket is a Threshold without a best guess.
type Bracket struct {
	Lower Number `json:"lower"`
	Upper Number `json:"upper"`
	Exact bool   `json:"exact"`
}

// WuMaE is the condition of Wu, Ma & E (2018): the learning rate below which
// Proposition 1 promises stability, and the limits of sharpness and
// non-uniformity that stability at the point's η and B implies.
type WuMaE struct {
	EtaProposition1    BoundedValue `json:"eta_proposition_1"`
	SharpnessLimit     Number       `json:"sharpness_limit"`
	NonUniformityLimit Number       `json:"non_uniformity_limit"`
}

// BoundedValue is a number that is a proven bound, or only an estimate of one.
type BoundedValue struct {
	Value Number `json:"value"`
	Bound bool   `json:"bound"`
}

// Order is the verdict on stability of order k: Stable is true if η ≤ EtaLower,
// false if η > EtaUpper, else null. Margin is EtaLower/η or EtaUpper/η,
// whichever decides.
type Order struct {
	K        int     `json:"k"`
	EtaLower Number  `json:"eta_lower"`
	EtaUpper Number  `json:"eta_upper"`
	Exact    bool    `json:"exact"`
	Stable   *bool   `json:"stable"`
	Margin   *Number `json:"margin"`
}

// FrontierPoint is the mean-square threshold for batches of B samples.
type FrontierPoint struct {
	BatchSize int `json:"batch_size"`
	Threshold
}

// Estimate is a random estimate with its standard error and 95% interval.
type Estimate struct {
	Value Number    `json:"value"`
	SE    Number    `json:"se"`
	CI95  [2]Number `json:"ci95"`
	Draws int       `json:"draws"`
	Seed  uint64    `json:"seed"`
}

// LyapunovExponent is that of linearised SGD at a learning rate: its typical path
// returns to the solution where it is negative.
type LyapunovExponent struct {
	LearningRate Number `json:"learning_rate"`
	Estimate
}

// verdict is whether order k is stable; nil where that is undecided or unknown.
func (s *Stability) verdict(k int) *bool {
	for _, o := range s.Orders {
		if o.K == k {
			return o.Stable
		}
	}
	return nil
}
