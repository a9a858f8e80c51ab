package dataset

// Set is n samples in float32, after preprocessing.
type Set struct {
	Name    string
	Shape   []int     // shape of one input: [d] for vectors, [channels, height, width] for images
	Outputs int       // c
	X       []float32 // n×d, row-major
	Y       []float32 // n×c, row-major; one-hot for classification
	Labels  []int     // class index of each sample, 0 ≤ label < c; nil for regression
	Classes []string  // name of each class index; nil for regression
	// Rows says that Labels were not given, but seen in targets whose rows are all
	// one-hot: c is then that of the targets.
	Rows bool

	// Preprocessing is what was done to the inputs, with all defaults filled in.
	Preprocessing Preprocessing
	// Index is the position of each sample in the file or stream that it was
	// taken from, counting from 0.
	Index []int
	// Source is the file that the samples were read from, and whether it is the
	// published one.
	Source Source
}

// Len returns n, the number of samples.
func (s *Set) Len() int {
	if s.Outputs == 0 {
		return 0
	}
	return len(s.Y) / s.Outputs
}

// Inputs returns d, the size of one flattened input.
func (s *Set) Inputs() int {
	d := 1
	for _, k := range s.Shape {
		d *= k
	}
	return d
}

// Input returns the i-th input, a view of d values.
func (s *Set) Input(i int) []float32 {
	d := s.Inputs()
	return s.X[i*d : (i+1)*d : (i+1)*d]
}

// Target returns the i-th target, a view of c values.
func (s *Set) Target(i int) []float32 {
	c := s.Outputs
	return s.Y[i*c : (i+1)*c : (i+1)*c]
}

// Select returns a new set of the samples at the given positions, in that
// order. Positions may repeat. It panics if one is not in 0…n−1.
func (s *Set) Select(index []int) *Set {
	t := *s
	d, c := s.Inputs(), s.Outputs
	t.X = make([]float32, 0, len(index)*d)
	t.Y = make([]float32, 0, len(index)*c)
	t.Labels, t.Index = nil, nil
	for _, i := range index {
		t.X = append(t.X, s.Input(i)...)
		t.Y = append(t.Y, s.Target(i)...)
		if s.Labels != nil {
			t.Labels = append(t.Labels, s.Labels[i])
		}
		if s.Index != nil {
			t.Index = append(t.Index, s.Index[i])
		}
	}
	return &t
}

// OneHot returns the n×c targets of n class indices. It panics if a label is
// not in 0…c−1.
func OneHot(labels []int, c int) []float32 {
	y := make([]float32, len(labels)*c)
	for i, l := range labels {
		if l < 0 || l >= c {
			panic("dataset: label out of range")
		}
		y[i*c+l] = 1
	}
	return y
}

// oneHotLabels is the inverse of OneHot: it returns nil unless c ≥ 2 and every
// row of y is exactly one-hot.
func oneHotLabels(y []float32, c int) []int {
	if c < 2 {
		return nil
	}
	labels := make([]int, 0, len(y)/c)
	for i := 0; i+c <= len(y); i += c {
		label := -1
		for j, v := range y[i : i+c] {
			switch {
			case v == 1 && label < 0:
				label = j
			case v != 0:
				return nil
			}
		}
		if label < 0 {
			return nil
		}
		labels = append(labels, label)
	}
	return labels
}

// ramp returns 0, 1, …, n−1.
func ramp(n int) []int {
	r := make([]int, n)
	for i := range r {
		r[i] = i
	}
	return r
}
