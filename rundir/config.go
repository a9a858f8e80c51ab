package rundir

// Config is one experiment: a grid of trainings that share everything but the
// method, the learning rate, the batch size and the repetition. A zero field
// means its documented default; Resolve fills the defaults in.
type Config struct {
	Name    string  `yaml:"name" json:"name"`
	Dataset Dataset `yaml:"dataset" json:"dataset"`
	Model   Model   `yaml:"model" json:"model"`
	// Loss is "mse" (the default; torch's mean over batch and outputs) or
	// "half-mse" (the paper's (1/2B) Σ ‖f−y‖²).
	Loss string `yaml:"loss" json:"loss"`
	SGD  SGD    `yaml:"sgd" json:"sgd"`
	Stop Stop   `yaml:"stop" json:"stop"`
	Grid Grid   `yaml:"grid" json:"grid"`
	// Repetitions is the number of independent initialisations and batch
	// orders per grid cell; default 1.
	Repetitions int `yaml:"repetitions" json:"repetitions"`
	// Seed is the root of every random stream. The subset of the data depends
	// on it alone, initialisation and batch order on it and the repetition.
	Seed    uint64  `yaml:"seed" json:"seed"`
	Measure Measure `yaml:"measure" json:"measure"`
	// Fork lets every training begin at the weights of another one.
	Fork Fork `yaml:"fork,omitempty" json:"fork,omitzero"`
	// Executor is about clusters.
	Executor Executor `yaml:"executor,omitempty" json:"executor,omitzero"`
}

// Fork is a moment of a training from which others go on: with another learning
// rate or batch size a minimum is left or kept.
type Fork struct {
	// From is the folder of the point; in a Point its name alone, which says with
	// its hash what the weights depend on.
	From string `yaml:"from,omitempty" json:"from"`
	// Step is the number of steps after which the other training is left; 0: its end.
	Step int `yaml:"step,omitempty" json:"step,omitzero"`
}

// Dataset says which samples are trained on.
type Dataset struct {
	Name string `yaml:"name" json:"name"`
	// Classes are original labels; their order gives the output index. Empty: all.
	Classes []int `yaml:"classes,omitempty" json:"classes,omitempty"`
	// PerClass and TestPerClass limit the samples per class; 0: all.
	PerClass     int `yaml:"per_class,omitempty" json:"per_class,omitempty"`
	TestPerClass int `yaml:"test_per_class,omitempty" json:"test_per_class,omitempty"`
	// Draw is "seed" (the default: a random subset that depends on the seed)
	// or "first" (the first samples of each class in file order, the paper's).
	Draw       string     `yaml:"draw" json:"draw"`
	Preprocess Preprocess `yaml:"preprocess,omitempty" json:"preprocess"`
}

// Preprocess maps every input to (x·Scale − Mean)/Std.
type Preprocess struct {
	// Scale 0 means the data set's own: 1/255 for images, 1 otherwise.
	Scale float64 `yaml:"scale,omitempty" json:"scale,omitempty"`
	// Mean and Std hold one value per channel; empty: 0 and 1.
	Mean []float64 `yaml:"mean,omitempty" json:"mean,omitempty"`
	Std  []float64 `yaml:"std,omitempty" json:"std,omitempty"`
}

// Model is the architecture. Kind "fnn" is a stack of dense layers
// d–hidden…–c with the activation after every layer but the last; kind "resnet" is
// that of He et al. (2016) for small images; kind "layers" is any list.
type Model struct {
	Kind string `yaml:"kind" json:"kind"`
	// Hidden and Activation are those of kind fnn.
	Hidden     []int  `yaml:"hidden" json:"hidden"`
	Activation string `yaml:"activation,omitempty" json:"activation"`
	// Init is "pytorch" (the default), "he", "xavier" or "kaiming-fan-out".
	Init string `yaml:"init" json:"init"`
	// Input and Layers are those of kind layers. Input is [d], or [channels,
	// height, width]; empty: the shape of the data.
	Input  []int   `yaml:"input,flow,omitempty" json:"input,omitzero"`
	Layers []Layer `yaml:"layers,omitempty" json:"layers,omitzero"`
	// Depth 6m+2 and Width, the channels of its first third, are those of kind resnet.
	Depth int `yaml:"depth,omitempty" json:"depth,omitzero"`
	Width int `yaml:"width,omitempty" json:"width,omitzero"`
	// Frozen is the number of leading layers that keep their initial weights, with
	// 1 those of a random-features network; layers without weights do not count.
	Frozen int `yaml:"frozen,omitempty" json:"frozen,omitzero"`
}

// SGD is equation (8) of Ma & Ying (2021) and how its batches are drawn.
type SGD struct {
	Iterations int `yaml:"iterations" json:"iterations"`
	// Sampling is "without-replacement" (the default: a subset of B samples,
	// independent from step to step), "with-replacement" or "epochs".
	Sampling string  `yaml:"sampling" json:"sampling"`
	Momentum float64 `yaml:"momentum" json:"momentum"`
	// Nesterov and WeightDecay λ are those of torch.optim.SGD: the step along
	// g + βv, and g + λW in the place of g. As Momentum, they act on all methods.
	Nesterov    bool    `yaml:"nesterov,omitempty" json:"nesterov,omitzero"`
	WeightDecay float64 `yaml:"weight_decay,omitempty" json:"weight_decay,omitzero"`
	// Each of these is what one method has beyond sgd, and acts on its points
	// alone: the radius ρ of sam, the λ of input-penalty in
	// (λ/B) Σ_i Σ_c ‖∇_x f_c(x_i)‖², the standard deviation σ of label-noise.
	SAMRadius    float64 `yaml:"sam_radius,omitempty" json:"sam_radius,omitzero"`
	InputPenalty float64 `yaml:"input_penalty,omitempty" json:"input_penalty,omitzero"`
	LabelNoise   float64 `yaml:"label_noise,omitempty" json:"label_noise,omitzero"`
}

// Stop ends a training before its last iteration; a zero field does not.
type Stop struct {
	// Loss ends it when the loss over the whole training set is at most this.
	Loss float64 `yaml:"loss" json:"loss"`
	// Accuracy ends it when the training accuracy is at least this.
	Accuracy float64 `yaml:"accuracy,omitempty" json:"accuracy,omitempty"`
}

// Grid lists the values whose product is trained.
type Grid struct {
	// Method is a list of "sgd" (the default), "gd", "sam", "input-penalty" and
	// "label-noise".
	Method       []string  `yaml:"method,flow" json:"method"`
	LearningRate []float64 `yaml:"learning_rate,flow" json:"learning_rate"`
	// BatchSize is not for gd, whose batch is the whole training set: it is
	// trained once per learning rate.
	BatchSize []int `yaml:"batch_size,flow" json:"batch_size"`
}

// Measure says what is computed from a trained network. It does not change the
// weights, and so it is no part of a point's hash.
type Measure struct {
	// Orders are the k of the moments g_W, g_x of order 2k; default 1, 2, 3.
	Orders []int `yaml:"orders,flow" json:"orders"`
	// Stability decides linear stability and finds the learning rates where it ends.
	Stability bool `yaml:"stability,omitempty" json:"stability,omitempty"`
	// Bounds evaluates the paper's theorems, which need the stability.
	Bounds bool `yaml:"bounds,omitempty" json:"bounds,omitempty"`
	// Radius δ is that of the balls around the samples, in ‖·‖₂ of the preprocessed
	// inputs, that Proposition 3 and Theorems 4–7 are about; 0: these are left out.
	Radius float64 `yaml:"radius,omitempty" json:"radius,omitempty"`
	// ExactLimit is the largest n·c for which that is done in the full Gram matrix;
	// above, thresholds are brackets. Default 2,500: about a minute and 0.4 GB.
	ExactLimit int `yaml:"exact_limit,omitempty" json:"exact_limit,omitempty"`
	// Frontier lists batch sizes whose mean-square thresholds are found too; those
	// above n are left out. Default: 1, 10, 100, … and n.
	Frontier []int `yaml:"frontier,flow,omitempty" json:"frontier,omitempty"`
	// Every is the number of steps between two rows of history.parquet; 0:
	// about 200 rows over the whole training.
	Every int `yaml:"every" json:"every"`
	// Probe is the number of steps between two measurements of a network in
	// training, rows of history.parquet with the columns of Probe; 0: none.
	Probe int `yaml:"probe,omitempty" json:"probe,omitempty"`
	// ProbeSamples is the number of training samples that they look at, evenly
	// spread; default 500.
	ProbeSamples int `yaml:"probe_samples,omitempty" json:"probe_samples,omitempty"`
}
