package rundir

import (
	"encoding/json"
	"math"
	"reflect"
	"slices"
)

// Format is the version of every JSON file that this package writes.
const Format = 1

// Number is a float64 that is written as null when it is not finite, since JSON
// has no word for that; null is read back as NaN.
type Number float64

// MarshalJSON writes the shortest decimal that reads back exactly.
func (v Number) MarshalJSON() ([]byte, error) {
	if math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) {
		return []byte("null"), nil
	}
	return json.Marshal(float64(v))
}

// UnmarshalJSON reads a number or null.
func (v *Number) UnmarshalJSON(b []byte) error {
	if string(b) == "null" {
		*v = Number(math.NaN())
		return nil
	}
	return json.Unmarshal(b, (*float64)(v))
}

// Result is what is known about one trained network: result.json of a point and
// the JSON of an audit. A section that was not computed is null, with the
// reason in Warnings.
type Result struct {
	Format     int        `json:"format"`
	Model      ModelInfo  `json:"model"`
	Data       DataInfo   `json:"data"`
	Convention Convention `json:"convention"`
	Fit        Fit        `json:"fit"`
	Moments    []Moment   `json:"moments"`
	// Curvature is that of the configured loss at interpolation (Gauss–Newton).
	Curvature *Curvature `json:"curvature"`
	Stability *Stability `json:"stability"`
	// Spectrum, OperatorNorms and Bounds are absent where they were not asked for.
	Spectrum      *Spectrum      `json:"spectrum,omitempty"`
	OperatorNorms []OperatorNorm `json:"operator_norms,omitempty"`
	Bounds        []Bound        `json:"bounds,omitempty"`
	// Seminorms, Geometry, Smoothness and Robustness are about the balls of
	// measure.radius around the samples; of their features, with frozen layers.
	Seminorms  []Seminorm   `json:"seminorms,omitempty"`
	Geometry   *Geometry    `json:"geometry,omitempty"`
	Smoothness []Smoothness `json:"smoothness,omitempty"`
	Robustness *Robustness  `json:"robustness,omitempty"`
	// Training says how the weights came about; null in an audit.
	Training *Training `json:"training"`
	Warnings []string  `json:"warnings"`
	// MeasuredModel is the SHA-256 of the model.safetensors that was measured,
	// and MeasuredOrders the orders that were asked for.
	MeasuredModel  string `json:"measured_model"`
	MeasuredOrders []int  `json:"measured_orders"`
	// MeasuredStability is how Stability was measured; null if it was not asked for.
	MeasuredStability *StabilityOptions `json:"measured_stability"`
}

// StabilityOptions is what the measurement of stability depends on.
type StabilityOptions struct {
	ExactLimit int     `json:"exact_limit"`
	Frontier   []int   `json:"frontier"`
	Bounds     bool    `json:"bounds"`
	Radius     float64 `json:"radius"`
}

// Measures says whether the result is of what m asks for.
func (r *Result) Measures(m Measure) bool {
	return slices.Equal(r.MeasuredOrders, m.Orders) && reflect.DeepEqual(r.MeasuredStability, m.StabilityOptions())
}

// ModelInfo is the size of a network: w parameters that train, d inputs, c
// outputs. Where the first layers are frozen, the function under study is that of
// their features: FirstLayer is the first that trains, and x its input.
type ModelInfo struct {
	Parameters int `json:"parameters"`
	// Frozen is the number of parameters that do not train, and Features the
	// number of inputs of the first layer that does; absent without frozen layers.
	Frozen     int        `json:"frozen_parameters,omitzero"`
	Inputs     int        `json:"inputs"`
	Features   int        `json:"features,omitzero"`
	Outputs    int        `json:"outputs"`
	FirstLayer FirstLayer `json:"first_layer"`
}

// FirstLayer describes W₁: rows×cols, and whether positions share its weights.
type FirstLayer struct {
	Kind   string `json:"kind"`
	Rows   int    `json:"rows"`
	Cols   int    `json:"cols"`
	Shared bool   `json:"shared"`
}

// DataInfo is the data that a result refers to.
type DataInfo struct {
	Samples int `json:"samples"`
	// Available is the number of samples that these are a random subset of; 0: all.
	Available int `json:"available,omitempty"`
	// SHA256 identifies the samples and targets, training and test, after
	// preprocessing.
	SHA256 string `json:"sha256"`
	// Source is the file the data came from, with its own SHA-256; for data that are
	// part of the program their name in an audit, and empty in a run.
	Source string `json:"source"`
	// MinNorm maps "2k" to min_i ‖x_i‖_{2k} after preprocessing; with frozen layers
	// that of the features.
	MinNorm map[string]Number `json:"min_norm"`
}

// Convention is what a reader must know to compare numbers.
type Convention struct {
	Loss string `json:"loss"`
	// LearningRate η is in units of the loss, BatchSize B is n for the full batch.
	LearningRate          Number `json:"learning_rate"`
	BatchSize             int    `json:"batch_size"`
	EffectiveLearningRate Number `json:"effective_learning_rate"`
	Sampling              string `json:"sampling"`
	Preprocessing         string `json:"preprocessing"`
	Precision             string `json:"precision"`
	Units                 string `json:"units"`
}

// Fit says how well the training targets are met. RelativeLoss is
// Σ‖f−y‖²/Σ‖y‖²; the solution interpolates when that is at most 1e-3. With
// cross-entropy, p = softmax(f) takes the place of f, and nothing interpolates.
type Fit struct {
	Loss         Number `json:"loss"`
	RelativeLoss Number `json:"relative_loss"`
	MaxResidual  Number `json:"max_residual"`
	Interpolates bool   `json:"interpolates"`
	// Accuracy is that of an audit, on data with classes; that of a run is in
	// Training.
	Accuracy *Number `json:"accuracy,omitempty"`
}

// Moment holds the moments of order 2k of the outputs' gradients:
// sum_W = (1/n) Σ_i Σ_outputs Σ_parameters g^{2k}, g_W = sum_W^{1/2k}; x is the
// input, W1 the first layer's weights, delta its pre-activations.
type Moment struct {
	K      int    `json:"k"`
	GW     Number `json:"g_W"`
	GX     Number `json:"g_x"`
	GW1    Number `json:"g_W1"`
	GDelta Number `json:"g_delta"`
	SumW   Number `json:"sum_W"`
	SumX   Number `json:"sum_x"`
	// GImage and SumImage are those of the gradient with respect to the network's
	// own input where frozen layers make x; absent otherwise.
	GImage   *Number       `json:"g_image,omitempty"`
	SumImage *Number       `json:"sum_image,omitempty"`
	Layers   []LayerMoment `json:"layers"`
}

// LayerMoment is a layer's share of sum_W.
type LayerMoment struct {
	Name      string `json:"name"`
	SumWeight Number `json:"sum_weight"`
	SumBias   Number `json:"sum_bias"`
}

// Curvature is that of the configured loss. Trace = (1/n) Σ_i ‖a_i‖², times 2/c
// for mse.
type Curvature struct {
	Trace         Number  `json:"trace"`
	LambdaMax     *Number `json:"lambda_max"`
	NonUniformity *Number `json:"non_uniformity"`
	// ResidualShare is |λ|_max(∇²L − G)/λ_max(G), how far the Gauss–Newton matrix G
	// is from the Hessian, and Rank that of the Gram matrix.
	ResidualShare *Number `json:"residual_share"`
	Rank          *int    `json:"rank"`
	// Layers are the blocks of the layers that train; absent where the Gram matrix
	// is too large.
	Layers []LayerCurvature `json:"layers,omitempty"`
}

// Training is how a point's training ended.
type Training struct {
	// Status is "finished" or "diverged".
	Status        string `json:"status"`
	Steps         int    `json:"steps"`
	TrainLoss     Number `json:"train_loss"`
	TrainAccuracy Number `json:"train_accuracy"`
	TestLoss      Number `json:"test_loss"`
	TestAccuracy  Number `json:"test_accuracy"`
}
