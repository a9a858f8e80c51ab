package dataset

import (
	"context"
	"math"
)

const (
	function1DName  = "function-1d"
	function1DTrain = 10
	function1DTest  = 1000
)

// function1D is a regression in one dimension with few samples, as in the 1-D
// example of Ma & Ying (2021). Their text does not print the function; this one
// is y = 0.2 sin(2πx) on [−1, 1].
//
// The amplitude has a reason. With mse and one output a learning rate η acts as
// 2η (theory in the paper's loss), so at the largest η = 0.5 of the example only
// solutions with a Gauss–Newton trace of about 2 are stable. A sine of amplitude
// 1 has no such solution in a 1-20-20-1 network: all trainings end dead.
//
// The n = 10 training inputs are the even grid −1, −7/9, …, 1: 4.5 samples a
// period, so the data determine the function, and a network that interpolates
// them can still be rough in between. The test set is the even grid of 1,000
// points, ends included. Nothing is random.
func function1D() Entry {
	return Entry{
		Name:        function1DName,
		Description: "y = 0.2 sin(2πx) on [−1,1]: 10 training points on an even grid, 1,000 test points",
		Licence:     "none needed: computed",
		Shape:       []int{1},
		Train:       function1DTrain,
		Test:        function1DTest,
		load:        loadFunction1D,
	}
}

func loadFunction1D(_ context.Context, r Request) (train, test *Set, err error) {
	if err := r.refuseClasses(); err != nil {
		return nil, nil, err
	}
	sets := [2]*Set{evenGrid(function1DTrain), evenGrid(function1DTest)}
	if err := preprocessAll(r, sets[:]); err != nil {
		return nil, nil, err
	}
	return sets[0], sets[1], nil
}

// evenGrid samples 0.2 sin(2πx) at n ≥ 2 even steps from −1 to 1.
func evenGrid(n int) *Set {
	s := &Set{Name: function1DName, Shape: []int{1}, Outputs: 1, Index: ramp(n), Preprocessing: Preprocessing{Scale: 1}}
	for i := range n {
		// From whole numbers, so that the grid is symmetric to the last bit.
		x := float64(2*i-(n-1)) / float64(n-1)
		s.X = append(s.X, float32(x))
		s.Y = append(s.Y, float32(0.2*math.Sin(2*math.Pi*x)))
	}
	return s
}

// preprocessAll applies the request's preprocessing to float sets (default
// scale 1) and records it.
func preprocessAll(r Request, sets []*Set) error {
	for _, s := range sets {
		if s == nil {
			continue
		}
		if err := s.Preprocess(r.Preprocessing); err != nil {
			return err
		}
	}
	return nil
}
