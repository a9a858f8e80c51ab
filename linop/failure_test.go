package linop

import (
	"context"
	"errors"
	"math"
	"strings"
	"testing"

	"gonum.org/v1/gonum/floats"
)

// methods are all that take products, on an operator of n = 10.
var methods = map[string]func(context.Context, Operator) error{
	"Lanczos": func(ctx context.Context, a Operator) error {
		_, err := Lanczos(ctx, a, gaussian(10, seeded(1)), LanczosOptions{Pairs: 9, MaxSteps: 10})
		return err
	},
	"PowerIteration": func(ctx context.Context, a Operator) error {
		_, err := PowerIteration(ctx, a, gaussian(10, seeded(1)), 0, 10)
		return err
	},
	"Hutchinson": func(ctx context.Context, a Operator) error {
		_, err := Hutchinson(ctx, a, 10, seeded(1))
		return err
	},
	"HutchPlusPlus": func(ctx context.Context, a Operator) error {
		_, err := HutchPlusPlus(ctx, a, 3, 10, seeded(1))
		return err
	},
	"StochasticLanczos": func(ctx context.Context, a Operator) error {
		_, err := StochasticLanczos(ctx, a, 5, 2, seeded(1))
		return err
	},
}

// fails is a with something done to the given product, counted from 1.
func fails(a Operator, at int, calls *int, do func(dst []float64)) Operator {
	return Func{a.Dim(), func(dst, x []float64) {
		a.Apply(dst, x)
		if *calls++; *calls == at {
			do(dst)
		}
	}}
}

func TestNotFiniteProductsAreErrors(t *testing.T) {
	a := withSpectrum(floats.Span(make([]float64, 10), -1, 2), seeded(1))
	for name, method := range methods {
		for _, bad := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
			for at := range 8 {
				calls := 0
				err := method(context.Background(), fails(a, at+1, &calls, func(dst []float64) { dst[7] = bad }))
				if err == nil || !strings.Contains(err.Error(), "element 7 of the operator's product") || calls != at+1 {
					t.Errorf("%s: %v in product %d: error %v after %d products", name, bad, at+1, err, calls)
				}
			}
		}
	}
}

func TestCancelledContextStops(t *testing.T) {
	a := withSpectrum(floats.Span(make([]float64, 10), -1, 2), seeded(1))
	for name, method := range methods {
		ctx, cancel := context.WithCancel(context.Background())
		calls := 0
		err := method(ctx, fails(a, 6, &calls, func([]float64) { cancel() }))
		if !errors.Is(err, context.Canceled) || calls != 6 {
			t.Errorf("%s: error %v after %d products", name, err, calls)
		}
	}
}

// Products that are finite but whose norms are not end in an error as well.
func TestOverflowIsAnError(t *testing.T) {
	a := Func{10, func(dst, x []float64) {
		for i := range dst {
			dst[i] = math.Copysign(1.7e308, x[i])
		}
	}}
	for _, name := range []string{"Lanczos", "PowerIteration", "StochasticLanczos"} {
		if err := methods[name](context.Background(), a); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestUselessStartsAreErrors(t *testing.T) {
	a := NewDense(2, []float64{1, 0, 0, 2})
	for _, start := range [][]float64{{0, 0}, {math.NaN(), 1}, {1, math.Inf(1)}} {
		if _, err := Lanczos(context.Background(), a, start, LanczosOptions{MaxSteps: 2}); err == nil {
			t.Errorf("Lanczos from %v: no error", start)
		}
		if _, err := PowerIteration(context.Background(), a, start, 0.1, 2); err == nil {
			t.Errorf("PowerIteration from %v: no error", start)
		}
	}
}

func TestCallersBugsPanic(t *testing.T) {
	a, ctx, start := NewDense(2, []float64{1, 0, 0, 2}), context.Background(), []float64{1, 1}
	for name, call := range map[string]func(){
		"short matrix":       func() { NewDense(2, make([]float64, 3)) },
		"empty matrix":       func() { NewDense(0, nil) },
		"start":              func() { Lanczos(ctx, a, start[:1], LanczosOptions{MaxSteps: 1}) },
		"no steps":           func() { Lanczos(ctx, a, start, LanczosOptions{}) },
		"NaN tolerance":      func() { Lanczos(ctx, a, start, LanczosOptions{MaxSteps: 1, Tolerance: math.NaN()}) },
		"negative pairs":     func() { Lanczos(ctx, a, start, LanczosOptions{MaxSteps: 1, Pairs: -1}) },
		"no iterations":      func() { PowerIteration(ctx, a, start, 0, 0) },
		"start of power":     func() { PowerIteration(ctx, a, start[:1], 0, 1) },
		"one draw":           func() { Hutchinson(ctx, a, 1, seeded(1)) },
		"one draw, Hutch++":  func() { HutchPlusPlus(ctx, a, 1, 1, seeded(1)) },
		"no sketch":          func() { HutchPlusPlus(ctx, a, 0, 2, seeded(1)) },
		"one probe":          func() { StochasticLanczos(ctx, a, 1, 1, seeded(1)) },
		"no steps of probes": func() { StochasticLanczos(ctx, a, 0, 2, seeded(1)) },
		"no width":           func() { (&SpectralDensity{}).Smoothed(nil, 0) },
	} {
		func() {
			defer func() {
				if message, _ := recover().(string); !strings.HasPrefix(message, "linop: ") {
					t.Errorf("%s: panic %q", name, message)
				}
			}()
			call()
		}()
	}
}
