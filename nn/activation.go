package nn

import (
	"fmt"
	"math"

	"sobolev/internal/kernel"
)

// Activation is a function that is applied to every unit of a layer.
type Activation int

// GELU is the exact form x·Φ(x); Softplus is log(1+eˣ), Sigmoid 1/(1+e⁻ˣ).
// ReLU'(0) = 0.
const (
	Identity Activation = iota
	ReLU
	Tanh
	GELU
	Softplus
	Sigmoid
)

var activationNames = []string{"identity", "relu", "tanh", "gelu", "softplus", "sigmoid"}

func (a Activation) String() string { return activationNames[a] }

// ParseActivation is the inverse of String.
func ParseActivation(name string) (Activation, error) {
	for i, s := range activationNames {
		if s == name {
			return Activation(i), nil
		}
	}
	return 0, fmt.Errorf("activation %q is not known; one of %q", name, activationNames)
}

// apply sets y = a(z), element by element. ReLU never comes here: it is part of
// the product before it.
func apply[T kernel.Float](a Activation, y, z []T) {
	switch a {
	case Tanh:
		for i, v := range z {
			y[i] = T(math.Tanh(float64(v)))
		}
	case GELU:
		for i, v := range z {
			y[i] = T(float64(v) * normalCDF(float64(v)))
		}
	case Softplus:
		for i, v := range z {
			y[i] = T(softplus(float64(v)))
		}
	case Sigmoid:
		for i, v := range z {
			y[i] = T(sigmoid(float64(v)))
		}
	default:
		panic("nn: apply: not a smooth activation")
	}
}

// applyDerivative multiplies dy by a'(z), element by element.
func applyDerivative[T kernel.Float](a Activation, dy, z []T) {
	switch a {
	case Tanh:
		for i, v := range z {
			t := math.Tanh(float64(v))
			dy[i] *= T(1 - t*t)
		}
	case GELU:
		for i, v := range z {
			x := float64(v)
			dy[i] *= T(normalCDF(x) + x*math.Exp(-x*x/2)/math.Sqrt(2*math.Pi))
		}
	case Softplus:
		for i, v := range z {
			dy[i] *= T(sigmoid(float64(v)))
		}
	case Sigmoid:
		for i, v := range z {
			s := sigmoid(float64(v))
			dy[i] *= T(s * (1 - s))
		}
	default:
		panic("nn: applyDerivative: not a smooth activation")
	}
}

// addCurvature adds opened·a″(z)·ż to zeta, element by element.
func addCurvature[T kernel.Float](a Activation, zeta, opened, zdot, z []T) {
	for i := range zeta {
		zeta[i] += opened[i] * zdot[i] * T(a.secondDerivative(float64(z[i])))
	}
}

// secondDerivative returns a″(z) of a smooth activation.
func (a Activation) secondDerivative(z float64) float64 {
	switch a {
	case Tanh:
		t := math.Tanh(z)
		return -2 * t * (1 - t*t)
	case GELU:
		return (2 - z*z) * math.Exp(-z*z/2) / math.Sqrt(2*math.Pi)
	case Softplus:
		s := sigmoid(z)
		return s * (1 - s)
	case Sigmoid:
		s := sigmoid(z)
		return s * (1 - s) * (1 - 2*s)
	}
	panic("nn: secondDerivative: not a smooth activation")
}

func normalCDF(x float64) float64 { return 0.5 * math.Erfc(-x/math.Sqrt2) }

func sigmoid(x float64) float64 { return 1 / (1 + math.Exp(-x)) }

// softplus is log(1+eˣ) without overflow.
func softplus(x float64) float64 { return math.Max(x, 0) + math.Log1p(math.Exp(-math.Abs(x))) }
